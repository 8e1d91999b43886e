#include "pack/auto_head.h"

#include <algorithm>

#include "manifest/head_kind.h"

namespace headway::pack {
namespace {

constexpr int64_t kFewestChannels = 256;
constexpr int64_t kFewestRows = 16384;
constexpr int64_t kFewestBytes = int64_t{12} << 20;

}  // namespace

bool ShapeCanPay(const ConstTensorView& rows) {
  const int64_t num_rows = rows.shape[0];
  return rows.shape.Columns() >= kFewestChannels && num_rows >= kFewestRows &&
         num_rows * rows.row_stride_bytes >= kFewestBytes;
}

bool CanRecord(Emitter* emitter) {
  const auto& forms = emitter->GetTraits().head_forms;
  return emitter->Screens() == nullptr &&
         std::find(forms.begin(), forms.end(), HeadForm::kCertified) != forms.end();
}

}  // namespace headway::pack
