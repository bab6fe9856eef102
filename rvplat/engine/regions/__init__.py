"""Regions: hot guest code as native code, with guest registers in host registers.

A region is put together from templates: the text of each form, with holes for its operands
(engine/region_templates.py). A process of its own does this work (worker.py).
"""
