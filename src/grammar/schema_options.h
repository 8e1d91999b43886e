#pragma once

// Which of the texts that mean a value a schema's grammar has.

namespace headway::grammar {

struct SchemaOptions {
  // For texts that others wrote (read by PlainNumbers of outside_text.h): any white space, every
  // spelling of characters and numbers, and properties that are repeated (RepeatedName finds them).
  // Otherwise one text a value: a blank after ':' and ',' and nowhere else, escapes only where there
  // must be one; and of a schema that has "properties" and no "type" objects alone, though it allows
  // every number, too.
  bool any_spelling = false;
  // White space between tokens as a model likes it: runs of up to 2 line breaks, then up to 16
  // blanks and tabs.
  bool free_white_space = false;
  // Properties that the schema neither names nor speaks of. A schema without
  // "additionalProperties" allows them; a model that writes them seldom does what was meant.
  bool unnamed_properties = false;
  // "format" limits texts; otherwise it says nothing, as the specification has it by default.
  bool assert_formats = true;
};

// Every text of every value that the schema describes, the order of properties apart.
inline constexpr SchemaOptions kEverySpelling = {.any_spelling = true, .unnamed_properties = true};

}  // namespace headway::grammar
