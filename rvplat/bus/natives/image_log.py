"""The records through which native code saves pages of RAM for images (bus/image_tree.py)."""

from rvplat.lang import Record, u32, u64

PageList = Record("PageList")  # pages of RAM, and what they held (bus/page_log.py)
PageList.add("entries", u64)  # host address: a u64 a page, its number << 32 | its slot
PageList.add("data", u64)  # host address of slot 1; a page with slot 0 was zero
PageList.add("count", u64)  # of entries
PageList.add("slots", u64)  # in use

ImageLog = Record("ImageLog")  # of a machine
ImageLog.add("epoch", u32)  # counts captures and restores; 0: there is no image
ImageLog.add("lock", u32)  # 1: taken; while it is held, pages are saved, or the fields change
ImageLog.add("saved", u64)  # host address: a u32 a page, the last epoch in which it was saved
ImageLog.add("pages", PageList)  # that were saved in this epoch
