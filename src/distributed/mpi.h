#pragma once

// The ranks that mpirun has started. Of two folders one is built: mpi/ (HEADWAY_MPI=ON), or no_mpi/,
// so that nothing else needs to know which.

#include <memory>

#include "base/result.h"
#include "distributed/transport.h"

namespace headway::distributed {

// This process as a rank; once. Errors: kUnsupported (built without MPI), kIo.
Result<std::unique_ptr<Transport>> OpenMpi();

}  // namespace headway::distributed
