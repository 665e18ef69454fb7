"""Configuration: frozen dataclasses with units in the names, and flat YAML files that are read strictly."""

from bev3d.config._fields import Config
from bev3d.config._yaml import config_from_mapping, config_hash, dump_config, load_config, preset_path

__all__ = ["Config", "config_from_mapping", "config_hash", "dump_config", "load_config", "preset_path"]
