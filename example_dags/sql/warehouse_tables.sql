-- A small star schema. The views users, courses, enrollments and results are the datasets as Parquet.
CREATE OR REPLACE TABLE dim_user AS
SELECT
    userId AS user_id,
    departmentId AS department_id,
    CASE status WHEN 1 THEN 'active' WHEN 3 THEN 'blocked' WHEN 5 THEN 'terminated' END AS status,
    fields ->> '$.EMAIL' AS email,
    fields ->> '$.FIRST_NAME' AS first_name,
    fields ->> '$.LAST_NAME' AS last_name
FROM users;

CREATE OR REPLACE TABLE dim_course AS
SELECT contentItemId AS course_id, title, addedDate AS added_at FROM courses;

-- One row per enrollment. Dates of enrollments are texts, with or without a time.
CREATE OR REPLACE TABLE fact_enrollment AS
SELECT
    enrollmentId AS enrollment_id,
    courseId AS course_id,
    learnerId AS user_id,
    TRY_CAST(left(accessDate, 10) AS DATE) AS access_date,
    TRY_CAST(left(dueDate, 10) AS DATE) AS due_date,
    certificate ->> '$.issuedCertificateId' AS certificate_id,
    TRY_CAST(left(certificate ->> '$.issueDate', 10) AS DATE) AS certificate_issued,
    TRY_CAST(left(certificate ->> '$.expiryDate', 10) AS DATE) AS certificate_expires
FROM enrollments;

-- One row per learner, course and enrollment.
CREATE OR REPLACE TABLE fact_result AS
SELECT
    userId AS user_id,
    courseId AS course_id,
    enrollmentId AS enrollment_id,
    completionStatus AS status,
    progress,
    awardedScore AS score,
    accessDate AS access_at,
    dueDate AS due_at,
    completionDate AS completed_at,
    timeSpent AS seconds_spent,
    isOverdue AS is_overdue
FROM results;
