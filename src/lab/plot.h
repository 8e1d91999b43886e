#pragma once

// Plots as inline SVG: horizontal bars and intervals, drawn with the page's style classes so that
// they follow light and dark. Inside this folder only.

#include <string>
#include <vector>

namespace headway::lab {

// Text for HTML and SVG.
std::string Escape(const std::string& text);

struct Segment {
  double value = 0;
  int colour = 0;     // class s0, s1, ...
  std::string title;  // shown on hovering
};

struct Bar {
  std::string label;
  std::vector<Segment> segments;  // end to end
  std::string text;               // behind the bar
};

// Bars on one scale from 0. `legend` names the colours by number; empty names are left out.
std::string Bars(const std::string& name, const std::vector<Bar>& bars,
                 const std::vector<std::string>& legend);

struct Interval {
  std::string label;
  double low = 0;
  double middle = 0;
  double high = 0;
  std::string text;
  std::string style;  // class of the mark: "better", "tied", "worse", "baseline"
};

// Intervals on one scale with a line at `mark`.
std::string Intervals(const std::string& name, const std::vector<Interval>& intervals, double mark);

}  // namespace headway::lab
