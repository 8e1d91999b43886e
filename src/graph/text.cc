#include "graph/text.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>
#include <span>

#include "base/from_chars.h"

namespace headway::graph {
namespace {

std::string PrintAttributes(const Attributes& attributes) {
  // What most graphs do not use is left out: files of before know none of it.
  const auto unless_zero = [](const char* key, int64_t value) {
    return value == 0 ? std::string() : fmt::format(" {}={}", key, value);
  };
  const auto soft_cap = [](float cap) {
    return cap == 0.0F ? std::string() : fmt::format(" soft_cap={}", cap);
  };
  if (const auto* norm = std::get_if<RmsNormAttributes>(&attributes))
    return fmt::format(" eps={}", norm->eps) + unless_zero("group", norm->group);
  if (const auto* linear = std::get_if<LinearAttributes>(&attributes))
    return soft_cap(linear->soft_cap);
  if (const auto* slice = std::get_if<SliceAttributes>(&attributes)) {
    return fmt::format(" begin={} end={}", slice->begin, slice->end);
  }
  if (const auto* rotary = std::get_if<RotaryAttributes>(&attributes)) {
    return fmt::format(" pairs={} n_rot={} head_dim={}", rotary->pairs ? 1 : 0, rotary->n_rot,
                       rotary->head_dim) +
           unless_zero("table", rotary->table);
  }
  if (const auto* a = std::get_if<AttentionAttributes>(&attributes)) {
    return fmt::format(" layer={} heads={} kv_heads={} head_dim={} window={} scale={}", a->layer,
                       a->num_heads, a->num_kv_heads, a->head_dim, a->window, a->scale) +
           soft_cap(a->soft_cap);
  }
  if (const auto* scale = std::get_if<ScaleAttributes>(&attributes))
    return fmt::format(" factor={}", scale->factor);
  if (const auto* blocks = std::get_if<BlockMaxAttributes>(&attributes))
    return fmt::format(" rows={}", blocks->rows);
  return "";
}

// Splits one line at single spaces.
std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t space = line.find(' ');
    if (space != 0) words.push_back(line.substr(0, space));
    if (space == std::string_view::npos) break;
    line.remove_prefix(space + 1);
  }
  return words;
}

template <class T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = FromChars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// KEY=NUMBER words, each to be asked for once.
class AttributeReader {
 public:
  explicit AttributeReader(std::span<const std::string_view> words) {
    for (const std::string_view word : words) {
      const size_t equals = word.find('=');
      ok_ = ok_ && equals != std::string_view::npos &&
            pairs_.emplace(word.substr(0, equals), word.substr(equals + 1)).second;
    }
  }

  int64_t Integer(std::string_view key) { return Take<int64_t>(key, std::nullopt); }
  int64_t IntegerOr(std::string_view key, int64_t otherwise) {
    return Take<int64_t>(key, otherwise);
  }
  float Real(std::string_view key) { return Take<float>(key, std::nullopt); }
  float RealOr(std::string_view key, float otherwise) { return Take<float>(key, otherwise); }
  // Whether all that was asked for was there, and nothing else.
  bool Complete() const { return ok_ && pairs_.empty(); }

 private:
  template <class T>
  T Take(std::string_view key, std::optional<T> otherwise) {
    const auto found = pairs_.find(key);
    std::optional<T> value = otherwise;
    if (found != pairs_.end()) {
      value = Number<T>(found->second);
      pairs_.erase(found);
    }
    ok_ = ok_ && value.has_value();
    return value.value_or(T{});
  }

  std::map<std::string_view, std::string_view> pairs_;
  bool ok_ = true;
};

// The op that a node's name in text form stands for, with what the name says of its attributes.
bool SetOp(std::string_view name, Node* node) {
  for (const Activation activation : {Activation::kSilu, Activation::kGeluTanh}) {
    node->op = Op::kGate;
    node->attributes = GateAttributes{.activation = activation};
    if (name == NameOf(*node)) return true;
  }
  node->attributes = std::monostate{};
  for (int i = 0; i < kNumOps; ++i) {
    node->op = static_cast<Op>(i);
    if (node->op != Op::kGate && name == Traits(node->op).name) return true;
  }
  return false;
}

class Parser {
 public:
  Result<Graph> Run(std::string_view text) {
    int line_number = 0;
    while (!text.empty()) {
      const size_t end = text.find('\n');
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      ++line_number;
      if (line.empty()) continue;
      if (!ParseLine(Words(line))) {
        return Fail(ErrorCode::kCorrupt, fmt::format("graph text line {}: cannot read '{}'",
                                                     line_number, line.substr(0, 120)));
      }
    }
    HW_TRY_VOID(Verify(graph_));
    return std::move(graph_);
  }

 private:
  using WordList = std::vector<std::string_view>;

  bool ParseLine(const WordList& words) {
    if (words.empty()) return false;  // nothing but spaces
    if (words[0] == "weight") return ParseWeight(words);
    if (words[0] == "ids" || words[0] == "input") return ParseInput(words);
    if (words[0] == "output" && words.size() == 2) {
      const auto value = FindValue(words[1]);
      if (value) graph_.outputs.push_back(*value);
      return value.has_value();
    }
    return ParseNode(words);
  }

  // weight NAME TYPE ROWS COLUMNS ROW_BEGIN; ROWS is "-" for a vector.
  bool ParseWeight(const WordList& words) {
    if (words.size() != 6) return false;
    const auto type = DataTypeFromName(words[2]);
    const auto columns = Number<int64_t>(words[4]);
    const auto row_begin = Number<int64_t>(words[5]);
    constexpr int64_t kMax = int64_t{1} << 31;
    if (!type || !columns || !row_begin || *columns < 1 || *columns > kMax) return false;
    Shape shape;
    if (words[3] != "-") {
      const auto rows = Number<int64_t>(words[3]);
      if (!rows || *rows < 1 || *rows > kMax) return false;
      shape.Append(*rows);
    }
    shape.Append(*columns);
    weights_[std::string(words[1])] = static_cast<WeightId>(graph_.weights.size());
    graph_.weights.push_back(
        {.name = std::string(words[1]), .type = *type, .shape = shape, .row_begin = *row_begin});
    return true;
  }

  bool ParseInput(const WordList& words) {
    const bool is_ids = words[0] == "ids";
    if (words.size() != (is_ids ? 2U : 3U)) return false;
    const auto channels = is_ids ? std::optional<int64_t>(1) : Number<int64_t>(words[2]);
    if (!channels) return false;
    graph_.inputs.push_back(NewValue(words[1], is_ids, *channels));
    return true;
  }

  // VALUE CHANNELS = OP @STAGE INPUT... [WEIGHT...] [KEY=NUMBER...]
  bool ParseNode(const WordList& words) {
    if (words.size() < 6 || words[2] != "=" || words[4][0] != '@') return false;
    Node node;
    const auto channels = Number<int64_t>(words[1]);
    const auto stage = Number<int64_t>(words[4].substr(1));
    if (!SetOp(words[3], &node) || !channels || !stage) return false;
    node.stage = *stage;
    const size_t num_inputs = static_cast<size_t>(Traits(node.op).num_inputs);
    const size_t num_weights = static_cast<size_t>(Traits(node.op).num_weights);
    if (words.size() < 5 + num_inputs + num_weights) return false;
    for (size_t i = 0; i < num_inputs; ++i) {
      const auto value = FindValue(words[5 + i]);
      if (!value) return false;
      node.inputs.push_back(*value);
    }
    for (size_t i = 0; i < num_weights; ++i) {
      const auto found = weights_.find(std::string(words[5 + num_inputs + i]));
      if (found == weights_.end()) return false;
      node.weights.push_back(found->second);
    }
    if (!ParseAttributes(std::span(words).subspan(5 + num_inputs + num_weights), &node))
      return false;
    node.output = NewValue(words[0], false, *channels);
    graph_.nodes.push_back(std::move(node));
    return true;
  }

  static bool ParseAttributes(std::span<const std::string_view> words, Node* node) {
    AttributeReader read(words);
    switch (node->op) {
      case Op::kRmsNorm:
        node->attributes =
            RmsNormAttributes{.eps = read.Real("eps"), .group = read.IntegerOr("group", 0)};
        break;
      case Op::kSlice:
        node->attributes =
            SliceAttributes{.begin = read.Integer("begin"), .end = read.Integer("end")};
        break;
      case Op::kRotary:
        node->attributes = RotaryAttributes{.pairs = read.Integer("pairs") != 0,
                                            .n_rot = read.Integer("n_rot"),
                                            .head_dim = read.Integer("head_dim"),
                                            .table = read.IntegerOr("table", 0)};
        break;
      case Op::kAttention:
        node->attributes = AttentionAttributes{.layer = read.Integer("layer"),
                                               .num_heads = read.Integer("heads"),
                                               .num_kv_heads = read.Integer("kv_heads"),
                                               .head_dim = read.Integer("head_dim"),
                                               .window = read.Integer("window"),
                                               .scale = read.Real("scale"),
                                               .soft_cap = read.RealOr("soft_cap", 0.0F)};
        break;
      case Op::kLinear:
        if (const float cap = read.RealOr("soft_cap", 0.0F); cap != 0.0F)
          node->attributes = LinearAttributes{.soft_cap = cap};
        break;
      case Op::kScale:
        node->attributes = ScaleAttributes{.factor = read.Real("factor")};
        break;
      case Op::kBlockMax:
        node->attributes = BlockMaxAttributes{.rows = read.Integer("rows")};
        break;
      case Op::kGate:  // SetOp knows it from the name
      case Op::kTop1:
      case Op::kEmbedding:
      case Op::kBias:
      case Op::kAdd:
        break;
    }
    return read.Complete();
  }

  std::optional<ValueId> FindValue(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    if (found == values_.end()) return std::nullopt;
    return found->second;
  }

  ValueId NewValue(std::string_view name, bool is_ids, int64_t channels) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    values_[std::string(name)] = id;
    graph_.values.push_back({.name = std::string(name), .is_ids = is_ids, .channels = channels});
    return id;
  }

  Graph graph_;
  std::map<std::string, ValueId> values_;
  std::map<std::string, WeightId> weights_;
};

}  // namespace

std::string Print(const Graph& graph) {
  std::string text;
  for (const Weight& weight : graph.weights) {
    const std::string rows = weight.shape.Rank() == 1 ? "-" : fmt::format("{}", weight.shape[0]);
    text += fmt::format("weight {} {} {} {} {}\n", weight.name, headway::Traits(weight.type).name,
                        rows, weight.shape.Columns(), weight.row_begin);
  }
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[static_cast<size_t>(id)];
    text += value.is_ids ? fmt::format("ids {}\n", value.name)
                         : fmt::format("input {} {}\n", value.name, value.channels);
  }
  for (const Node& node : graph.nodes) {
    const Value& output = graph.values[static_cast<size_t>(node.output)];
    text += fmt::format("{} {} = {} @{}", output.name, output.channels, NameOf(node), node.stage);
    for (const ValueId id : node.inputs) text += " " + graph.values[static_cast<size_t>(id)].name;
    for (const WeightId id : node.weights)
      text += " " + graph.weights[static_cast<size_t>(id)].name;
    text += PrintAttributes(node.attributes) + "\n";
  }
  for (const ValueId id : graph.outputs) {
    text += fmt::format("output {}\n", graph.values[static_cast<size_t>(id)].name);
  }
  return text;
}

Result<Graph> Parse(std::string_view text) { return Parser().Run(text); }

}  // namespace headway::graph
