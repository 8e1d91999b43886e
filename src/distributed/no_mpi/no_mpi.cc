#include "distributed/mpi.h"

namespace headway::distributed {

Result<std::unique_ptr<Transport>> OpenMpi() {
  return Fail(ErrorCode::kUnsupported,
              "--hosts: expected a build with MPI (cmake -DHEADWAY_MPI=ON, docs/distributed.md), "
              "found one without");
}

}  // namespace headway::distributed
