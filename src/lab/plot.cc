#include "lab/plot.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lab/append.h"

namespace headway::lab {
namespace {

// The drawing's units are pixels at the page's full width.
constexpr double kWidth = 860;
constexpr double kLabels = 190;
constexpr double kTexts = 190;
constexpr double kRow = 30;
constexpr double kBar = 18;
constexpr double kPlot = kWidth - kLabels - kTexts;

void BeginDrawing(const std::string& name, double height, std::string* out) {
  Append(out,
         "<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\" "
         "xmlns=\"http://www.w3.org/2000/svg\">\n",
         kWidth, height, Escape(name));
}

void Label(const std::string& text, double y, std::string* out) {
  Append(out, "<text class=\"label\" x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
         kLabels - 12, y, Escape(text));
}

// About five round numbers inside [low, high].
std::vector<double> Ticks(double low, double high) {
  const double raw = (high - low) / 5;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {2.0, 5.0, 10.0}) {
    if (step < raw) step = factor * power;
  }
  std::vector<double> ticks;
  for (double tick = std::ceil(low / step) * step; tick <= high + 1e-9 * step; tick += step)
    ticks.push_back(tick);
  return ticks;
}

}  // namespace

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Bars(const std::string& name, const std::vector<Bar>& bars,
                 const std::vector<std::string>& legend) {
  double most = 0;
  for (const Bar& bar : bars) {
    double sum = 0;
    for (const Segment& segment : bar.segments) sum += segment.value;
    most = std::max(most, sum);
  }
  if (!(most > 0)) return "";
  std::string out;
  if (!legend.empty()) {
    out += "<p class=\"legend\">";
    for (size_t i = 0; i < legend.size(); ++i)
      if (!legend[i].empty())
        Append(&out, "<span><i class=\"s{}\"></i>{}</span>", i, Escape(legend[i]));
    out += "</p>\n";
  }
  const double height = kRow * static_cast<double>(bars.size()) + 6;
  BeginDrawing(name, height, &out);
  for (size_t i = 0; i < bars.size(); ++i) {
    const double top = kRow * static_cast<double>(i) + (kRow - kBar) / 2;
    Label(bars[i].label, top + 14, &out);
    double x = kLabels;
    for (const Segment& segment : bars[i].segments) {
      const double width = kPlot * segment.value / most;
      Append(&out,
             "<rect class=\"s{}\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.0f}\">"
             "<title>{}</title></rect>\n",
             segment.colour, x, top, std::max(width, 0.5), kBar, Escape(segment.title));
      x += width;
    }
    Append(&out, "<text class=\"value\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 8, top + 14,
           Escape(bars[i].text));
  }
  return out + "</svg>\n";
}

std::string Intervals(const std::string& name, const std::vector<Interval>& intervals,
                      double mark) {
  if (intervals.empty()) return "";
  double low = mark;
  double high = mark;
  for (const Interval& interval : intervals) {
    low = std::min(low, interval.low);
    high = std::max(high, interval.high);
  }
  const double margin = std::max(0.05 * (high - low), 0.01 * std::abs(mark));
  low -= margin;
  high += margin;
  const auto at = [&](double value) { return kLabels + kPlot * (value - low) / (high - low); };
  const double bottom = kRow * static_cast<double>(intervals.size()) + 4;
  std::string out;
  BeginDrawing(name, bottom + 24, &out);
  for (const double tick : Ticks(low, high)) {
    Append(
        &out,
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.1f}\"/>"
        "<text class=\"tick\" x=\"{0:.1f}\" y=\"{2:.1f}\" text-anchor=\"middle\">{3:.4g}</text>\n",
        at(tick), bottom, bottom + 17, tick);
  }
  Append(&out, "<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"0\" y2=\"{1:.1f}\"/>\n",
         at(mark), bottom);
  for (size_t i = 0; i < intervals.size(); ++i) {
    const Interval& interval = intervals[i];
    const double y = kRow * (static_cast<double>(i) + 0.5);
    Label(interval.label, y + 5, &out);
    Append(&out,
           "<g class=\"{}\"><line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
           "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/></g>\n",
           interval.style, at(interval.low), at(interval.high), y, y, at(interval.middle), y);
    Append(&out, "<text class=\"value\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", kWidth - kTexts + 8,
           y + 5, Escape(interval.text));
  }
  return out + "</svg>\n";
}

}  // namespace headway::lab
