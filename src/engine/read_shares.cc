#include "engine/read_shares.h"

#include <algorithm>

namespace headway {

std::vector<int64_t> ReadShares(std::span<const int64_t> wanted, int64_t budget) {
  std::vector<int64_t> shares(wanted.size(), 0);
  int64_t hungry = static_cast<int64_t>(wanted.size());
  while (budget > 0 && hungry > 0) {
    const int64_t equal = std::max<int64_t>(budget / hungry, 1);
    hungry = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      const int64_t more = std::min({equal, wanted[i] - shares[i], budget});
      if (more > 0) {
        shares[i] += more;
        budget -= more;
      }
      if (shares[i] < wanted[i]) ++hungry;
    }
  }
  return shares;
}

}  // namespace headway
