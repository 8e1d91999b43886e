#pragma once

// Protobuf includes it; of what is in it, nothing is used.
