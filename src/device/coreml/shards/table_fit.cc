#include "device/coreml/shards/table_fit.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "tensor/half.h"

namespace headway::mil {
namespace {

constexpr size_t kBins = 16384;  // of the histogram, from the smallest value to the largest
constexpr int kLastRounds = 4;   // borders move by parts of a stretch then

// Costs of runs, from sums over everything before a stretch.
class RunCosts {
 public:
  explicit RunCosts(std::span<const Stretch> stretches) : before_(stretches.size() + 1) {
    // About the mean of all: differences of sums lose nothing to a common offset.
    Stretch all;
    for (const Stretch& s : stretches) all.Add(s);
    const double center = all.w > 0 ? all.Mean() : 0;
    for (size_t i = 0; i < stretches.size(); ++i) {
      const Stretch& s = stretches[i];
      before_[i + 1] = before_[i];
      before_[i + 1].Add({.w = s.w,
                          .wx = s.wx - center * s.w,
                          .wxx = s.wxx - 2 * center * s.wx + center * center * s.w});
    }
  }
  size_t Count() const { return before_.size() - 1; }
  // The loss of stretches [begin, end) stored as their mean.
  double Of(size_t begin, size_t end) const {
    const Stretch& a = before_[begin];
    const Stretch& b = before_[end];
    const double wx = b.wx - a.wx;
    return b.wxx - a.wxx - wx * wx / (b.w - a.w);
  }

 private:
  std::vector<Stretch> before_;
};

// The cheapest partition into any number of runs when each costs `price` more. The last run before
// an end begins no earlier than that before an earlier end, so that every beginning is the best one
// for one range of ends: a queue of those, each new one found its place by bisection.
std::vector<size_t> RunsAt(double price, const RunCosts& costs) {
  const size_t n = costs.Count();
  std::vector<double> total(n + 1, 0);
  std::vector<size_t> begin_of(n + 1, 0);
  struct Candidate {
    size_t begin, first_end;
  };
  std::vector<Candidate> queue = {{0, 1}};
  size_t front = 0;
  const auto cost = [&](size_t begin, size_t end) { return total[begin] + costs.Of(begin, end); };
  for (size_t end = 1; end <= n; ++end) {
    while (front + 1 < queue.size() && queue[front + 1].first_end <= end) ++front;
    begin_of[end] = queue[front].begin;
    total[end] = cost(begin_of[end], end) + price;
    while (queue.size() > front + 1 && queue.back().first_end > end &&
           cost(end, queue.back().first_end) < cost(queue.back().begin, queue.back().first_end)) {
      queue.pop_back();
    }
    // The first end that a run from here serves better than the last candidate does.
    size_t low = std::max(end, queue.back().first_end);
    size_t high = n + 1;
    while (high - low > 1) {
      const size_t middle = low + (high - low) / 2;
      (cost(end, middle) < cost(queue.back().begin, middle) ? high : low) = middle;
    }
    if (high <= n) queue.push_back({end, high});
  }
  std::vector<size_t> borders = {n};
  while (borders.back() > 0) borders.push_back(begin_of[borders.back()]);
  std::reverse(borders.begin(), borders.end());
  return borders;
}

// Of two partitions that are the cheapest at one price, with fewer and more runs than wanted, one
// with as many as wanted that is as cheap: where a run of `fewer` holds one of `more`, it goes on
// from the one to the other.
std::vector<size_t> Between(const std::vector<size_t>& fewer, const std::vector<size_t>& more,
                            size_t cells) {
  const size_t ahead = cells - (fewer.size() - 1);
  for (size_t i = 0; i + 1 < fewer.size(); ++i) {
    if (fewer[i] > more[i + ahead] || more[i + ahead + 1] > fewer[i + 1]) continue;
    std::vector<size_t> borders(more.begin(),
                                more.begin() + static_cast<std::ptrdiff_t>(i + ahead + 1));
    borders.insert(borders.end(), fewer.begin() + static_cast<std::ptrdiff_t>(i + 1), fewer.end());
    return borders;
  }
  HW_CHECK(false, "a run of the coarser partition holds one of the finer");
  return fewer;
}

// The bins that hold values, ascending.
std::vector<Stretch> BinsOf(std::span<const float> values, float low, float high) {
  std::vector<Stretch> all(kBins);
  const float scale = static_cast<float>(kBins) / (high - low);
  for (const float value : values) {
    const float place = (value - low) * scale;  // NaN goes to the last bin
    const bool inside = place < static_cast<float>(kBins);
    const size_t at = inside ? static_cast<size_t>(std::max(place, 0.0F)) : kBins - 1;
    all[at].Add(1.0, static_cast<double>(value));
  }
  std::erase_if(all, [](const Stretch& s) { return s.w <= 0; });
  return all;
}

// At most `most` stretches, bins joined where they are dense: a best table has a density of entries
// that goes with the third root of the weights', so each stretch gets the same share of that.
std::vector<Stretch> Join(const std::vector<Stretch>& bins, size_t most) {
  if (bins.size() <= most) return bins;
  double sum = 0;
  for (const Stretch& bin : bins) sum += std::cbrt(bin.w);
  std::vector<Stretch> joined;
  double seen = 0;
  size_t share = 0;
  for (const Stretch& bin : bins) {
    const auto mine = static_cast<size_t>(seen / sum * static_cast<double>(most));
    if (joined.empty() || mine > share) joined.emplace_back();
    share = mine;
    joined.back().Add(bin);
    seen += std::cbrt(bin.w);
  }
  return joined;
}

// One round of Lloyd: every bin goes to the nearest entry, every entry to the mean of its bins.
void Refine(const std::vector<Stretch>& bins, std::vector<double>* table) {
  std::vector<Stretch> cells(table->size());
  size_t cell = 0;
  for (const Stretch& bin : bins) {
    while (cell + 1 < table->size() && bin.Mean() > ((*table)[cell] + (*table)[cell + 1]) / 2)
      ++cell;
    cells[cell].Add(bin);
  }
  for (size_t i = 0; i < cells.size(); ++i)
    if (cells[i].w > 0) (*table)[i] = cells[i].Mean();
}

}  // namespace

std::vector<size_t> BestRuns(std::span<const Stretch> stretches, size_t cells) {
  const RunCosts costs(stretches);
  const size_t n = costs.Count();
  HW_CHECK(cells >= 1 && cells <= n, "as many runs as stretches at most");
  std::vector<size_t> fewer = {0, n};
  std::vector<size_t> more(n + 1);
  for (size_t i = 0; i <= n; ++i) more[i] = i;
  if (cells == 1) return fewer;
  if (cells == n) return more;
  // One run is the cheapest at any price above its whole loss, n runs at no price.
  double high = costs.Of(0, n);
  double low = 0;
  const auto wanted = static_cast<double>(cells);
  // The loss of k runs goes with 1 / k^2, so the price at which one run more pays with 1 / k^3.
  double price = high * 5 / (wanted * wanted * wanted);
  constexpr int kMostTries = 100;
  for (int t = 0; t < kMostTries; ++t) {
    if (!(price > low && price < high)) price = low > 0 ? std::sqrt(low * high) : high / 64;
    if (!(price > low && price < high)) break;  // neighbours in binary64
    std::vector<size_t> runs = RunsAt(price, costs);
    const size_t found = runs.size() - 1;
    if (found == cells) return runs;
    const double ratio = static_cast<double>(found) / wanted;
    (found < cells ? high : low) = price;
    (found < cells ? fewer : more) = std::move(runs);
    price = t < kMostTries / 4 ? price * ratio * ratio * ratio : 0;
  }
  return Between(fewer, more, cells);
}

std::vector<float> FitTable(std::span<const float> values, int bits) {
  const size_t entries = size_t{1} << static_cast<unsigned>(bits);
  std::vector<double> table(entries, values.empty() ? 0.0 : static_cast<double>(values.front()));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  if (!values.empty() && *high > *low) {
    const std::vector<Stretch> bins = BinsOf(values, *low, *high);
    const std::vector<Stretch> points = Join(bins, std::max<size_t>(1024, 16 * entries));
    const size_t cells = std::min(entries, points.size());
    const std::vector<size_t> borders = BestRuns(points, cells);
    for (size_t c = 0; c < entries; ++c) {
      Stretch cell;
      for (size_t i = borders[std::min(c, cells - 1)]; i < borders[std::min(c + 1, cells)]; ++i)
        cell.Add(points[i]);
      table[c] = c < cells ? cell.Mean() : table[cells - 1];
    }
    for (int round = 0; round < kLastRounds; ++round) Refine(bins, &table);
  }
  std::vector<float> halves(entries);
  std::transform(table.begin(), table.end(), halves.begin(),
                 [](double entry) { return ToFloat(ToF16(static_cast<float>(entry))); });
  return halves;
}

}  // namespace headway::mil
