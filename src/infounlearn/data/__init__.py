"""Records and tables to learn from and to forget: loaders, splits, hashes. No models.

Names are loaded when first used, so that importing this room costs nothing.
"""

# ruff: noqa: F401 - the names below are exported, by __getattr__.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOME = {
    "Records": "records",
    "concatenate": "records",
    "load_digits": "digits",
    "split_digits": "digits",
    "load_mnist": "mnist",
    "split_mnist": "mnist",
    "load_cifar10_subset": "cifar10",
    "split_cifar10_subset": "cifar10",
    "load_adult": "adult",
    "load_communities": "communities",
    "load_compas": "compas",
    "load_diabetes": "diabetes",
    "load_german": "german",
    "load_law_school": "law_school",
    "TableColumn": "table_columns",
    "TableData": "tabular",
    "TableForm": "table_writer",
    "TableScan": "table_files",
    "TableWriter": "table_writer",
    "split_table": "table_parts",
    "scan_table": "table_files",
    "stratified_folds": "folds",
    "choose_forget": "splits",
    "label_noise": "splits",
    "read_ids": "splits",
    "split_records": "splits",
    "stratified_parts": "splits",
    "Attributes": "attributes",
    "Images": "images",
    "LabelledImages": "image_labels",
    "StyledDigits": "toy_images",
    "load_celeba": "celeba",
    "read_attributes": "attributes",
    "read_images": "images",
    "read_labelled_images": "image_labels",
    "styled_digits": "toy_images",
    "Source": "sources",
    "data_folder": "sources",
    "fetch": "sources",
    "CHANNELS": "toy",
    "Channel": "toy",
    "correlated_normals": "toy",
    "density_toy": "toy",
    "gaussian_groups": "toy",
    "gaussian_information": "toy",
    "gaussian_toy": "toy",
}

__all__ = [*sorted(_HOME)]

if TYPE_CHECKING:
    from infounlearn.data.adult import load_adult
    from infounlearn.data.attributes import Attributes, read_attributes
    from infounlearn.data.celeba import load_celeba
    from infounlearn.data.cifar10 import load_cifar10_subset, split_cifar10_subset
    from infounlearn.data.communities import load_communities
    from infounlearn.data.compas import load_compas
    from infounlearn.data.diabetes import load_diabetes
    from infounlearn.data.digits import load_digits, split_digits
    from infounlearn.data.folds import stratified_folds
    from infounlearn.data.german import load_german
    from infounlearn.data.image_labels import LabelledImages, read_labelled_images
    from infounlearn.data.images import Images, read_images
    from infounlearn.data.law_school import load_law_school
    from infounlearn.data.mnist import load_mnist, split_mnist
    from infounlearn.data.records import Records, concatenate
    from infounlearn.data.sources import Source, data_folder, fetch
    from infounlearn.data.splits import (
        choose_forget,
        label_noise,
        read_ids,
        split_records,
        stratified_parts,
    )
    from infounlearn.data.table_columns import TableColumn
    from infounlearn.data.table_files import TableScan, scan_table
    from infounlearn.data.table_parts import split_table
    from infounlearn.data.table_writer import TableForm, TableWriter
    from infounlearn.data.tabular import TableData
    from infounlearn.data.toy import (
        CHANNELS,
        Channel,
        correlated_normals,
        density_toy,
        gaussian_groups,
        gaussian_information,
        gaussian_toy,
    )
    from infounlearn.data.toy_images import StyledDigits, styled_digits


def __getattr__(name: str) -> object:
    """Import a public name of this room the first time it is asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'infounlearn.data' has no attribute {name!r}")
    value = getattr(import_module(f"infounlearn.data.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
