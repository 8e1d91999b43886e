#pragma once

// Result<T>, Error, Fail and HW_TRY are public API; this header only names their home inside src/.

#include "headway/result.h"  // IWYU pragma: export
