#include "check_gates.h"

#include <filesystem>

#include "gates/gate.h"
#include "numbers.h"

namespace headway::cli {

Result<bool> CheckGates(const std::string& model, const std::string& kv, bool allow_ungated) {
  std::error_code error;
  if (!std::filesystem::is_directory(model, error)) return true;
  HW_TRY(const Manifest manifest, OpenManifest(model, false));
  Result<bool> gated = gates::CheckRecords(manifest, model, ParseKv(kv));
  if (!gated && allow_ungated) return true;
  return gated;
}

}  // namespace headway::cli
