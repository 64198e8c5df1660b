"""What a task has read and written, as OpenLineage reports it.

Row counts, columns and checks are reported, and no ids, names or filters: lineage is shown to more people than data is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset, DatasetFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_lms.lms.listing.projection import Projection
    from airflow_provider_lms.lms.listing.spec import Listing
    from airflow_provider_lms.tables.columns import Column


@dataclass
class TaskLineage:
    """What a task has read and written. Costs nothing until OpenLineage asks for it.

    :param read: the asset URIs of the listings that it has read, in the order of reading.
    :param result: what it has made of one of them, if that is its job.
    """

    read: dict[str, None] = field(default_factory=dict)
    result: ReadListing | None = None

    def add(self, uri: str) -> None:
        """Note that a listing is read."""
        self.read[uri] = None

    def to_openlineage(self, outlets: Iterable[object]) -> OperatorLineage[Any, Any]:
        """Inputs and outputs with their facets.

        :param outlets: those of the task. Assets among them are outputs as well.
        """
        from airflow.providers.openlineage.extractors import OperatorLineage

        from airflow_provider_lms.assets import dataset_of

        result = self.result
        inputs = [dataset_of(uri) for uri in self.read if result is None or uri != result.uri]
        if result is None:
            return OperatorLineage(inputs=inputs, outputs=_of_assets(outlets))
        written = [] if result.folder is None else [result.output(result.folder)]
        known = {(each.namespace, each.name) for each in written}
        declared = [each for each in _of_assets(outlets) if (each.namespace, each.name) not in known]
        return OperatorLineage(inputs=[result.input(), *inputs], outputs=[*written, *declared])


@dataclass(frozen=True)
class ReadListing:
    """What a task has made of a listing.

    :param uri: the asset URI of the listing.
    :param projection: what is done to its columns, if anything is.
    :param records: how many records were read; None if reading has failed.
    :param summary: of the dataset, if one was written.
    """

    uri: str
    listing: Listing[Any]
    projection: Projection | None
    records: int | None = None
    summary: Mapping[str, Any] | None = None

    @property
    def folder(self) -> str | None:
        """The URI of the dataset's folder, without the id of an Airflow connection."""
        return None if self.summary is None else _without_user(self.summary["uri"])

    def input(self) -> Dataset:
        """The listing, with its columns and what is known about the quality of what was read."""
        from airflow.providers.common.compat.openlineage.facet import InputDataset

        from airflow_provider_lms.assets import dataset_of

        dataset = dataset_of(self.uri)
        return InputDataset(
            namespace=dataset.namespace,
            name=dataset.name,
            facets=self._facets(self._columns()),
            inputFacets=self._quality(),
        )

    def output(self, folder: str) -> Dataset:
        """The dataset that was written, with its columns, where each comes from, and its size."""
        from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

        summary, dataset = self.summary or {}, _of_uri(folder)
        size = sum(file["bytes"] for file in summary["files"])
        statistics = OutputStatisticsOutputDatasetFacet(
            rowCount=summary["records"], size=size, fileCount=len(summary["files"])
        )
        columns = self._columns() if self.projection is None else _columns_of(self.projection.record)
        return OutputDataset(
            namespace=dataset.namespace,
            name=dataset.name,
            facets={**self._facets(columns), "columnLineage": self._origins(columns)},
            outputFacets={"outputStatistics": statistics},
        )

    def _columns(self) -> list[Column]:
        return _columns_of(self.listing.record)

    def _facets(self, columns: Iterable[Column]) -> dict[str, DatasetFacet]:
        from airflow.providers.common.compat.openlineage.facet import SchemaDatasetFacet, SchemaDatasetFacetFields

        fields = [
            SchemaDatasetFacetFields(name=each.name, type=each.type, description=each.metadata.get("description"))
            for each in columns
        ]
        return {"schema": SchemaDatasetFacet(fields=fields)}

    def _origins(self, columns: Iterable[Column]) -> DatasetFacet:
        """Each column comes from the column of the same name; a hashed one is masked."""
        from airflow.providers.common.compat.openlineage.facet import ColumnLineageDatasetFacet, Fields, InputField
        from openlineage.client.facet_v2 import column_lineage_dataset

        from airflow_provider_lms.assets import dataset_of

        listing = dataset_of(self.uri)
        changed = frozenset[str]() if self.projection is None else self.projection.changed_columns
        masked = column_lineage_dataset.Transformation(type="DIRECT", subtype="TRANSFORMATION", masking=True)
        same = column_lineage_dataset.Transformation(type="DIRECT", subtype="IDENTITY", masking=False)
        return ColumnLineageDatasetFacet(
            fields={
                each.name: Fields(
                    inputFields=[
                        InputField(
                            namespace=listing.namespace,
                            name=listing.name,
                            field=each.name,
                            transformations=[masked if each.name in changed else same],
                        )
                    ]
                )
                for each in columns
            }
        )

    def _quality(self) -> dict[str, Any]:
        from openlineage.client.facet_v2 import data_quality_assertions_dataset, data_quality_metrics_input_dataset

        if self.records is None:
            return {}
        metrics = data_quality_metrics_input_dataset.DataQualityMetricsInputDatasetFacet(
            rowCount=self.records, columnMetrics={}
        )
        found: dict[str, Any] = {"dataQualityMetrics": metrics}
        if self.summary is not None:
            checks = {
                "read to the end": self.summary["complete"],
                "no records came or went while it was read": self.summary["consistent"],
                "no undeclared fields": not self.summary["new_fields"],
            }
            found["dataQualityAssertions"] = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(
                assertions=[
                    data_quality_assertions_dataset.Assertion(assertion=name, success=success)
                    for name, success in checks.items()
                ]
            )
        return found


class ReportsLineage:
    """A task that tells OpenLineage what it has read and written. Such a class is an operator, too."""

    lineage: TaskLineage
    outlets: Any

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Any, Any]:  # noqa: ARG002
        """Inputs and outputs of the task. OpenLineage calls this also when the task has failed."""
        return self.lineage.to_openlineage(self.outlets)


def _columns_of(record: type[Any]) -> list[Column]:
    from airflow_provider_lms.tables.columns import Columns

    return Columns(record).declared


def _of_assets(outlets: Iterable[object]) -> list[Dataset]:
    from airflow.providers.common.compat.sdk import Asset

    return [_of_uri(each.uri) for each in outlets if isinstance(each, Asset)]


def _of_uri(uri: str) -> Dataset:
    """The dataset that others report for the same URI; one in the usual form if Airflow knows no rule for it."""
    from airflow.providers.common.compat.openlineage.utils.utils import translate_airflow_asset
    from airflow.providers.common.compat.sdk import Asset

    from airflow_provider_lms.assets import dataset_of

    return translate_airflow_asset(Asset(uri=uri), None) or dataset_of(uri)


def _without_user(uri: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.scheme else f"file://{uri}"
