-- A learner who is enrolled again has several results in a course. The latest enrollment counts.
CREATE OR REPLACE VIEW current_results AS
SELECT result.*, person.email, person.department_id, course.title AS course_title
FROM fact_result AS result
LEFT JOIN dim_user AS person USING (user_id)
LEFT JOIN dim_course AS course USING (course_id)
QUALIFY row_number() OVER (
    PARTITION BY user_id, course_id ORDER BY access_at DESC NULLS LAST, enrollment_id DESC
) = 1;

CREATE OR REPLACE VIEW overdue AS
SELECT *, date_diff('day', due_at, now()) AS days_overdue
FROM current_results
WHERE is_overdue AND completed_at IS NULL
ORDER BY due_at;

CREATE OR REPLACE VIEW certificates_expiring AS
SELECT enrollment.*, person.email, course.title AS course_title
FROM fact_enrollment AS enrollment
LEFT JOIN dim_user AS person USING (user_id)
LEFT JOIN dim_course AS course USING (course_id)
WHERE certificate_expires BETWEEN current_date AND current_date + INTERVAL 60 DAY
ORDER BY certificate_expires;
