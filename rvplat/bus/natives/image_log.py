"""The records through which native code saves pages of RAM for images (bus/image_tree.py)."""

from rvplat.lang import Record, u8, u32, u64

MOST_LOOKED = 64

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
#: Bytes whose last change is looked for (hart/acceleration/last_change.py).
ImageLog.add("looked_page", u64)  # their page's number plus 1; 0: none are
ImageLog.add("looked_host", u64)  # their host address
ImageLog.add("writer", u64)  # `work` before the last write of the page, plus 1
ImageLog.add("changer", u64)  # the same of the write that has changed them
ImageLog.add("looked_epoch", u32)  # the epoch in which the page was saved
ImageLog.add("looked_size", u32)
ImageLog.add("looked", u8, MOST_LOOKED)  # what they were
