#pragma once

// GNUstep's headers ask for another runtime's name of this header.
#include <Block.h>
