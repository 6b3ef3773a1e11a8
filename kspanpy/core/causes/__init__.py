"""Links between stories: what caused what, where ownership does not say it. No link without evidence."""
