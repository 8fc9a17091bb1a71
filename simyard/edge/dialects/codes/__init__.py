"""The tables of vendors' codes, where dialects look for them."""

from simyard.codes import CountryCodes, ServiceCodes, countries, services

__all__ = ["CountryCodes", "ServiceCodes", "countries", "services"]
