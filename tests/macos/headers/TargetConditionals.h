#pragma once

// As on a Mac, written by us.
#define TARGET_OS_MAC 1
#define TARGET_OS_IPHONE 0
