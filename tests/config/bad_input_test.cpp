#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample.hpp"

namespace {

// What a user wrote, and every line that the user is told, in order.
struct mistake {
  const char* name;
  std::string yaml;
  std::vector<std::string> told;
  sample::variables variables = {};
  std::vector<flow::given_flag> flags = {};
};

void PrintTo(const mistake& of, std::ostream* out) {
  *out << of.name;
}

std::vector<std::string> told(const flow::setting_sources& from) {
  std::vector<std::string> lines;
  try {
    flow::load<sample::settings>(from);
  } catch (const flow::configuration_error& error) {
    for (const auto& each : error.problems()) lines.push_back(to_string(each));
  }
  return lines;
}

class bad_input : public testing::TestWithParam<mistake> {};

TEST_P(bad_input, is_told_with_its_place_and_remedy) {
  const mistake& of = GetParam();
  sample::folder here;
  here.write("a.yaml", of.yaml);
  here.write("secret", "hunter2\n");
  here.write("short_secret", "u\n");
  std::filesystem::create_directory("folder");
  const auto lines = told({"a.yaml", of.flags, sample::lookup(of.variables), {}});
  EXPECT_EQ(lines, of.told);
  for (const auto& line : lines) EXPECT_THAT(line, testing::Not(testing::HasSubstr("hunter2")));
}

// Every file but the broken ones holds what is required.
std::string with(std::string_view lines) {
  return "topics: {include: [orders]}\n" + std::string{lines};
}

const std::vector<mistake> of_yaml = {
    {"tab_in_the_indentation",
     "topics:\n\tinclude: [a]\n",
     {"a.yaml:2:1: error: a tab in the indentation (indent with spaces)"}},
    {"tab_after_spaces",
     "topics:\n  include: [a]\n \tcreate: true\n",
     {"a.yaml:3:2: error: a tab in the indentation (indent with spaces)"}},
    {"bracket_never_closed",
     "lanes: 1\ntargets: [a, b\nhome: tokyo\n",
     {"a.yaml:2:10: error: this [ is never closed (add ])"}},
    {"brace_never_closed", "topics: {include: [a]\n", {"a.yaml:1:9: error: this { is never closed (add })"}},
    {"quote_never_closed",
     "lanes: 1\nhome: \"tokyo\nlevel: info\n",
     {"a.yaml:2:7: error: this quote is never closed (close it)"}},
    {"apostrophe_never_closed",
     "home: 'it''s # here\nlevel: info\n",
     {"a.yaml:1:7: error: this quote is never closed (close it)"}},
    {"bracket_never_opened",
     "home: tokyo\nlevel: ]\n",
     {"a.yaml:2:8: error: this bracket was never opened (remove it, or put the text in quotes)"}},
    {"two_colons",
     "home: a: b\n",
     {"a.yaml:1:8: error: a value is not allowed here (check the indentation, or quote a text that holds a colon)"}},
    {"list_beside_its_key",
     "targets: - a\n",
     {"a.yaml:1:10: error: a list item is not allowed here (begin the list on a line of its own)"}},
    {"comma_at_the_beginning", ", home: tokyo\n", {"a.yaml:1:1: error: a text cannot begin like this (put it in quotes)"}},
    {"text_with_an_at_sign", "home: @tokyo\n", {"a.yaml:1:7: error: a text cannot begin like this (put it in quotes)"}},
    {"unknown_escape",
     "home: \"\\q\"\n",
     {"a.yaml:1:8: error: no such escape in double quotes (write \\\\ for a backslash, or use single quotes)"}},
    {"alias_of_nothing",
     "home: *tokyo\n",
     {"a.yaml:1:7: error: this is not YAML: the referenced anchor is not defined (check the syntax)"}},
    {"alias_inside_itself",
     with("targets: &all [*all]\n"),
     {"a.yaml:2:16: error: an alias inside the value that it stands for (write the value out)",
      "a.yaml:2:16: error: targets[0] has no value (write a text such as tokyo, or remove it)"}},
    {"second_document",
     with("---\nlanes: 1\n"),
     {"a.yaml:2:1: error: a second document begins here (keep one document in a file)"}},
    {"tag", with("home: !region tokyo\n"), {"a.yaml:2:7: error: the tag \"!region\" means nothing here (remove it)"}},
    {"control_character",
     with("home: to\x04kyo\n"),
     {"a.yaml:2:9: error: a control character is not allowed here (remove it)"}},
    {"not_utf8", with("home: \xFFtokyo\n"), {"a.yaml:2:7: error: this is not UTF-8 (save the file as UTF-8)"}},
    {"column_in_characters", with("\xC3\xBC: [\xC3\xB6, \n"), {"a.yaml:2:4: error: this [ is never closed (add ])"}},
    {"empty_file", "", {"a.yaml:1:1: error: the file is empty (write \"name: value\", a line for each setting)"}},
    {"only_comments",
     "# nothing\n\n",
     {"a.yaml:1:1: error: the file is empty (write \"name: value\", a line for each setting)"}},
    {"list_at_the_top",
     "- a\n",
     {"a.yaml:1:1: error: settings are a mapping of names to values (write \"name: value\")"}},
    {"no_space_after_the_colon",
     "lanes:1\n",
     {"a.yaml:1:1: error: settings are a mapping of names to values (put a space after the colon)"}},
};

const std::vector<mistake> of_names = {
    {"unknown_key",
     with("comit_every: 1s\n"),
     {"a.yaml:2:1: error: \"comit_every\" is not a setting (did you mean commit_every?)"}},
    {"dash_in_a_key",
     with("commit-every: 1s\n"),
     {"a.yaml:2:1: error: \"commit-every\" is not a setting (did you mean commit_every?)"}},
    {"unknown_key_in_a_section",
     "topics:\n  include: [a]\n  exclude: [b]\n  renam: x\n",
     {"a.yaml:3:3: error: \"exclude\" is not a setting of topics (did you mean include?)",
      "a.yaml:4:3: error: \"renam\" is not a setting of topics (did you mean rename?)"}},
    {"unknown_key_for_one_that_is_required",
     "topics: {inclde: [orders]}\n",
     {"a.yaml:1:10: error: \"inclde\" is not a setting of topics (did you mean include?)"}},
    {"unknown_key_for_a_section_that_is_required",
     "topcs: {include: [orders]}\n",
     {"a.yaml:1:1: error: \"topcs\" is not a setting (did you mean topics?)"}},
    {"unknown_key_for_one_that_is_required_in_a_list",
     with("routes:\n  - form: here\n"),
     {"a.yaml:3:5: error: \"form\" is not a setting of routes[0] (did you mean from?)"}},
    {"unknown_key_beside_the_one_that_was_meant",
     with("home: kyoto\nhom: osaka\nclusters: {tokyo: {}}\n"),
     {"a.yaml:2:7: error: no cluster is called kyoto (add it to clusters)",
      "a.yaml:3:1: error: \"hom\" is not a setting (did you mean home?)"}},
    {"unknown_key_that_is_none_of_those_required",
     "topics: {colour: red}\n",
     {"a.yaml:1:9: error: topics.include is missing (add \"include: ...\" or give --topics.include)",
      "a.yaml:1:10: error: \"colour\" is not a setting of topics (known here: include, rename, partitions or create)"}},
    {"unlike_any_key",
     with("dedup: {id: /id, colour: red}\n"),
     {"a.yaml:2:18: error: \"colour\" is not a setting of dedup (known here: id or window)"}},
    {"key_twice",
     with("lanes: 1\nhome: tokyo\nlanes: 2\n"),
     {"a.yaml:4:1: error: \"lanes\" is already given in line 2 (remove one of them)"}},
    {"map_key_twice",
     with("clusters:\n  tokyo: {a: b, a: c}\n  tokyo: {}\n"),
     {"a.yaml:3:17: error: \"a\" is already given in line 3 (remove one of them)",
      "a.yaml:4:3: error: \"tokyo\" is already given in line 3 (remove one of them)"}},
    {"merge_keys",
     "topics: &all {include: [a]}\nroutes:\n- {<<: *all}\nclusters: {tokyo: {<<: *all, colour: red}}\n",
     {"a.yaml:3:4: error: merge keys are not supported (write out what they would add)",
      "a.yaml:4:20: error: merge keys are not supported (write out what they would add)"}},
    {"key_that_is_a_list",
     with("? [a]\n: b\n"),
     {"a.yaml:2:3: error: a name has to be a text (write \"name: value\")"}},
    {"required_missing",
     "lanes: 1\n",
     {"a.yaml:1:1: error: topics.include is missing (add \"include: ...\" or give --topics.include)"}},
    {"required_missing_in_a_section",
     with("dedup:\n  window: 1h\n"),
     {"a.yaml:3:3: error: dedup.id is missing (add \"id: ...\" or give --dedup.id)"}},
    {"required_missing_in_a_list",
     with("routes:\n  - weight: 2\n"),
     {"a.yaml:3:5: error: routes[0].from is missing (add \"from: ...\")"}},
};

const std::vector<mistake> of_values = {
    {"text_for_a_number",
     with("lanes: many\n"),
     {"a.yaml:2:8: error: \"many\" is not a whole number (write a whole number such as 10)"}},
    {"number_out_of_range", with("lanes: 0\n"), {"a.yaml:2:8: error: \"0\" is too little (write 1 to 1024)"}},
    {"number_out_of_its_type", with("port: 70000\n"), {"a.yaml:2:7: error: \"70000\" is too much (write 0 to 65535)"}},
    {"yes_for_true",
     with("enabled: yes\n"),
     {"a.yaml:2:10: error: \"yes\" is not true or false (write true or false)"}},
    {"duration_without_unit",
     with("commit_every: 100\n"),
     {"a.yaml:2:15: error: \"100\" has no unit (write 100ms or 100s)"}},
    {"duration_too_long", with("commit_every: 2h\n"), {"a.yaml:2:15: error: \"2h\" is too much (write 1ms to 1min)"}},
    {"size_without_unit", with("memory: 1024\n"), {"a.yaml:2:9: error: \"1024\" has no unit (write 1024B or 1024MiB)"}},
    {"rate_that_is_a_size",
     with("catch_up_limit: 20MB\n"),
     {"a.yaml:2:17: error: \"20MB\" is not per second (write 20MB/s)"}},
    {"misspelt_word",
     "topics: {include: [a], partitions: by_kye}\n",
     {"a.yaml:1:36: error: \"by_kye\" is not keep or by_key (did you mean by_key?)"}},
    {"word_of_nobody",
     "topics: {include: [a], partitions: 7}\n",
     {"a.yaml:1:36: error: \"7\" is not keep or by_key (write one of them)"}},
    {"not_one_of",
     with("level: inf\n"),
     {"a.yaml:2:8: error: \"inf\" is not debug, info or warn (did you mean info?)"}},
    {"refused_by_a_check", with("ratio: 1.5\n"), {"a.yaml:2:8: error: \"1.5\" is more than all"}},
    {"bad_pattern_in_a_list",
     "topics:\n  include:\n    - orders\n    - a(b\n",
     {"a.yaml:4:7: error: \"a(b\" is not a pattern: \"(\" is never closed in a(b (close it)"}},
    {"text_for_a_list",
     with("targets: osaka\n"),
     {"a.yaml:2:10: error: targets has to be a list, not a text (write [osaka])"}},
    {"list_for_a_number",
     with("lanes: [1]\n"),
     {"a.yaml:2:8: error: lanes has to be a whole number, not a list (write a whole number such as 10)"}},
    {"mapping_in_a_list",
     with("targets: [a, {b: c}]\n"),
     {"a.yaml:2:14: error: targets[1] has to be a text, not a mapping (write a text such as tokyo)"}},
    {"text_for_a_section",
     "topics: orders\n",
     {"a.yaml:1:9: error: topics has to be a mapping, not a text (write a mapping)"}},
    {"list_for_a_map",
     with("clusters: [tokyo]\n"),
     {"a.yaml:2:11: error: clusters has to be a mapping, not a list (write a mapping such as {name: {name: tokyo}})"}},
    {"no_value",
     with("lanes:\nhome: tokyo\n"),
     {"a.yaml:2:1: error: lanes has no value (write a whole number such as 10, or remove it)"}},
    {"hole_in_a_list",
     with("targets: [a,, b]\n"),
     {"a.yaml:2:13: error: targets[1] has no value (write a text such as tokyo, or remove it)"}},
    {"item_that_is_only_a_dash",
     with("targets:\n  - a\n  - # nothing\n\nroutes:\n-\n- from: b\nlanes: 0\nshares: {}\n"),
     {"a.yaml:4:3: error: targets[1] has no value (write a text such as tokyo, or remove it)",
      "a.yaml:7:1: error: routes[0] has no value (write a mapping, or remove it)",
      "a.yaml:9:8: error: \"0\" is too little (write 1 to 1024)"}},
    {"dash_at_the_end_of_the_file",
     with("targets:\n- ~\n-\n"),
     {"a.yaml:3:3: error: targets[0] has no value (write a text such as tokyo, or remove it)",
      "a.yaml:4:1: error: targets[1] has no value (write a text such as tokyo, or remove it)"}},
    {"bad_number_in_a_map",
     with("shares: {osaka: x}\n"),
     {"a.yaml:2:17: error: \"x\" is not a whole number (write a whole number such as 10)"}},
    {"bad_number_in_a_list_of_sections",
     with("routes:\n  - {from: a}\n  - {from: b, weight: 11}\n"),
     {"a.yaml:4:23: error: \"11\" is too much (write 1 to 10)"}},
    {"rule_across_settings",
     with("home: kyoto\nclusters: {tokyo: {}}\n"),
     {"a.yaml:2:7: error: no cluster is called kyoto (add it to clusters)"}},
    {"rule_about_an_element",
     with("targets:\n  - osaka\n  - tokyo\n"),
     {"a.yaml:4:5: error: a target cannot be home (remove tokyo)"}},
    {"rule_about_a_default",
     with("clusters: {osaka: {}}\n"),
     {"a.yaml:1:1: error: home: no cluster is called tokyo (add it to clusters)"}},
    {"rule_in_a_list_of_sections",
     with("routes: [{from: a}, {from: nowhere}]\n"),
     {"a.yaml:2:28: error: nothing comes from nowhere (name a topic)"}},
    {"rule_of_a_setting_about_an_element",
     with("clusters:\n  tokyo: {}\n  osaka: {size: 1, colour: red}\n"),
     {"a.yaml:4:28: error: osaka has no colour (remove it)"}},
    {"rules_beside_other_mistakes",
     "application:\n  - a\n"
     "lanes: 0\n"
     "comit_every: 1s\n"
     "home: kyoto\n"
     "targets: [osaka, kyoto, [tokyo]]\n"
     "clusters: {tokyo: {colour: red, size: [1]}, tokyo: {}}\n"
     "dedup: {window: 1}\n"
     "routes: [{from: nowhere, weight: 0}]\n"
     "topics: {include: [\"a(\"], rename: {}}\n",
     {"a.yaml:2:3: error: application has to be a text, not a list (write a text such as tokyo)",
      "a.yaml:3:8: error: \"0\" is too little (write 1 to 1024)",
      "a.yaml:4:1: error: \"comit_every\" is not a setting (did you mean commit_every?)",
      "a.yaml:5:7: error: no cluster is called kyoto (add it to clusters)",
      "a.yaml:6:18: error: a target cannot be home (remove kyoto)",
      "a.yaml:6:25: error: targets[2] has to be a text, not a list (write a text such as tokyo)",
      "a.yaml:7:28: error: tokyo has no colour (remove it)",
      "a.yaml:7:39: error: clusters.tokyo.size has to be a text, not a list (write a text such as tokyo)",
      "a.yaml:7:45: error: \"tokyo\" is already given in line 7 (remove one of them)",
      "a.yaml:8:8: error: dedup.id is missing (add \"id: ...\" or give --dedup.id)",
      "a.yaml:8:17: error: \"1\" has no unit (write 1ms or 1s)",
      "a.yaml:9:17: error: nothing comes from nowhere (name a topic)",
      "a.yaml:9:34: error: \"0\" is too little (write 1 to 10)",
      "a.yaml:10:20: error: \"a(\" is not a pattern: \"(\" is never closed in a( (close it)",
      "a.yaml:10:35: error: topics.rename has to be a text, not a mapping (write a text such as tokyo)"}},
    {"no_rule_about_what_could_not_be_read",
     with("home: [kyoto]\nclusters: {osaka: {colour: [red]}}\nroutes: [{from: [nowhere]}]\n"),
     {"a.yaml:2:7: error: home has to be a text, not a list (write a text such as tokyo)",
      "a.yaml:3:28: error: clusters.osaka.colour has to be a text, not a list (write a text such as tokyo)",
      "a.yaml:4:17: error: routes[0].from has to be a text, not a list (write a text such as tokyo)"}},
    {"mistakes_before_a_broken_line",
     "lanes: 0\nfoo: 1\nclusters: {osaka: {colour: red}}\nhome: kyoto\ntargets: [a\n",
     {"a.yaml:1:8: error: \"0\" is too little (write 1 to 1024)",
      "a.yaml:2:1: error: \"foo\" is not a setting (known here: application, home, targets, clusters, topics, dedup, "
      "routes, shares, commit_every, memory, catch_up_limit, lanes, port, ratio, level, enabled, token or pin)",
      "a.yaml:3:28: error: osaka has no colour (remove it)", "a.yaml:5:10: error: this [ is never closed (add ])"}},
    {"everything_at_once",
     "lanes: x\nhome: tokyo\nhome: tokyo\nfoo: 1\n",
     {"a.yaml:1:1: error: topics.include is missing (add \"include: ...\" or give --topics.include)",
      "a.yaml:1:8: error: \"x\" is not a whole number (write a whole number such as 10)",
      "a.yaml:3:1: error: \"home\" is already given in line 2 (remove one of them)",
      "a.yaml:4:1: error: \"foo\" is not a setting (known here: application, home, targets, clusters, topics, dedup, "
      "routes, "
      "shares, commit_every, memory, catch_up_limit, lanes, port, ratio, level, enabled, token or pin)",
      "environment COMMIT_EVERY: error: \"soon\" is not a duration (write a duration such as 100ms)",
      "--port: error: \"-1\" is too little (write 0 to 65535)"},
     {{"COMMIT_EVERY", "soon"}},
     {{"port", {"-1"}}}},
};

const std::vector<mistake> of_references = {
    {"variable_that_is_not_set",
     with("home: a-${REGION}\n"),
     {"a.yaml:2:7: error: ${REGION} is not set (set the variable, or write ${REGION:-default})"}},
    {"every_variable_that_is_not_set",
     with("home: ${A}\nlevel: info\ntargets: [b, \"${B}\"]\n"),
     {"a.yaml:2:7: error: ${A} is not set (set the variable, or write ${A:-default})",
      "a.yaml:4:14: error: ${B} is not set (set the variable, or write ${B:-default})"}},
    {"reference_never_closed",
     with("home: ${REGION\n"),
     {"a.yaml:2:7: error: ${ is not closed (add }, or write $${ for ${ itself)"}},
    {"reference_without_quotes_in_braces",
     with("clusters: {tokyo: {size: 1, colour: a-${COLOUR:-red}}}\n"),
     {"a.yaml:2:37: error: ${...} needs quotes within { } and [ ] (put the whole text in quotes, as in \"${NAME}\")"}},
    {"reference_without_quotes_in_brackets",
     with("targets: [${A}, b]\n"),
     {"a.yaml:2:11: error: ${...} needs quotes within { } and [ ] (put the whole text in quotes, as in \"${NAME}\")"}},
    {"reference_without_quotes_as_a_name",
     with("shares: {${A}: 1}\n"),
     {"a.yaml:2:10: error: ${...} needs quotes within { } and [ ] (put the whole text in quotes, as in \"${NAME}\")"}},
    {"bracket_never_closed_behind_a_reference",
     with("targets: [\"${A}\"\n"),
     {"a.yaml:2:10: error: this [ is never closed (add ])"},
     {{"A", "a"}}},
    {"reference_to_no_name",
     with("home: ${a b}\n"),
     {"a.yaml:2:7: error: \"${a b}\" names no variable (write ${NAME}, ${NAME:-default} or ${file:/path}, or $${ for "
      "${ "
      "itself)"}},
    {"bad_value_of_a_variable",
     with("lanes: ${LANES_HERE}\n"),
     {"a.yaml:2:8: error: \"many\" is not a whole number (write a whole number such as 10)"},
     {{"LANES_HERE", "many"}}},
    {"secret_file_missing",
     with("token: ${file:nothing}\n"),
     {"a.yaml:2:8: error: \"nothing\" does not exist (check the path)"}},
    {"secret_file_is_a_folder",
     with("home: ${file:folder}\n"),
     {"a.yaml:2:7: error: \"folder\" is a directory (name a file in it)"}},
    {"secret_that_is_no_number",
     with("lanes: ${file:secret}\n"),
     {"a.yaml:2:8: error: \"${file:secret}\" is not accepted (it has to be a whole number)"}},
    {"secret_that_is_none_of_the_words",
     with("level: ${file:secret}\n"),
     {"a.yaml:2:8: error: \"${file:secret}\" is not accepted (it has to be debug, info or warn)"}},
    {"secret_as_a_name",
     with("clusters: {\"${file:secret}\": {}}\n"),
     {"a.yaml:2:12: error: \"${file:secret}\" is a secret, and a name is not (write the name out)"}},
    {"secret_as_a_list_of_numbers",
     with("shares: {osaka: \"${file:secret}\"}\n"),
     {"a.yaml:2:17: error: \"${file:secret}\" is not accepted (it has to be a whole number)"}},
    {"secret_setting_with_a_bad_value",
     with("pin: hunter2\n"),
     {"a.yaml:2:6: error: the value is not accepted (it has to be a whole number)"}},
    {"secret_setting_refused_by_its_check", with("token: abc\n"), {"a.yaml:2:8: error: the value is not accepted"}},
    {"secret_in_the_words_of_a_rule",
     with("home: ${file:secret}\nclusters: {tokyo: {}}\n"),
     {"a.yaml:2:7: error: no cluster is called *** (add it to clusters)"}},
    {"secret_that_is_in_those_words_by_chance",
     with("home: ${file:short_secret}\nclusters: {tokyo: {}}\n"),
     {"a.yaml:2:7: error: no cluster is called *** (add it to clusters)"}},
    {"secret_in_a_variable",
     with(""),
     {"environment PIN: error: the value is not accepted (it has to be a whole number)"},
     {{"PIN", "hunter2"}}},
    {"secret_in_a_flag",
     with(""),
     {"--pin: error: the value is not accepted (it has to be a whole number)"},
     {},
     {{"pin", {"hunter2"}}}},
};

const std::vector<mistake> of_words = {
    {"bad_variable",
     with(""),
     {"environment LANES: error: \"many\" is not a whole number (write a whole number such as 10)"},
     {{"LANES", "many"}}},
    {"empty_item_in_a_variable",
     with(""),
     {"environment TARGETS: error: targets has an empty item (remove a \",\")"},
     {{"TARGETS", "a,,b"}}},
    {"bad_flag",
     with(""),
     {"--commit-every: error: \"5m\" has an unknown unit (write 5min or 5ms)"},
     {},
     {{"commit_every", {"5m"}}}},
    {"flag_twice", with(""), {"--lanes: error: given 2 times (give it once)"}, {}, {{"lanes", {"1", "2"}}}},
    {"bad_item_in_a_flag",
     with(""),
     {"--topics.include: error: \"b(\" is not a pattern: \"(\" is never closed in b( (close it)"},
     {},
     {{"topics.include", {"a,b("}}}},
    {"no_name_in_a_map_flag",
     with(""),
     {"--shares: error: \"2\" is not name=value (write name=value)"},
     {},
     {{"shares", {"a=1,2"}}}},
    {"bad_number_in_a_map_flag",
     with(""),
     {"--shares: error: \"x\" is not a whole number (write a whole number such as 10)"},
     {},
     {{"shares", {"a=x"}}}},
    {"rule_broken_by_a_flag",
     with(""),
     {"--targets: error: a target cannot be home (remove tokyo)"},
     {},
     {{"targets", {"osaka,tokyo"}}}},
};

std::string name_of(const testing::TestParamInfo<mistake>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(yaml, bad_input, testing::ValuesIn(of_yaml), name_of);
INSTANTIATE_TEST_SUITE_P(names, bad_input, testing::ValuesIn(of_names), name_of);
INSTANTIATE_TEST_SUITE_P(values, bad_input, testing::ValuesIn(of_values), name_of);
INSTANTIATE_TEST_SUITE_P(references, bad_input, testing::ValuesIn(of_references), name_of);
INSTANTIATE_TEST_SUITE_P(words, bad_input, testing::ValuesIn(of_words), name_of);

using lines = std::vector<std::string>;

TEST(bad_file, is_missing) {
  sample::folder here;
  EXPECT_EQ(told({"b.yaml", {}, sample::lookup({}), {}}),
            lines{"b.yaml:1:1: error: the file does not exist (check the path)"});
}

TEST(bad_file, is_a_directory) {
  sample::folder here;
  std::filesystem::create_directory("b.yaml");
  EXPECT_EQ(told({"b.yaml", {}, sample::lookup({}), {}}),
            lines{"b.yaml:1:1: error: the file is a directory (name a file in it)"});
}

TEST(bad_file, never_ends) {
  EXPECT_EQ(told({"/dev/zero", {}, sample::lookup({}), {}}),
            lines{"/dev/zero:1:1: error: the file is larger than 4MiB (name another file)"});
}

TEST(bad_file, grows_by_its_aliases) {
  sample::folder here;
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const auto name = "a" + std::to_string(i), before = "*a" + std::to_string(i - 1);
    yaml += name + ": &" + name + " [" + before;
    for (int j = 1; j < 10; ++j) yaml += ", " + before;
    yaml += "]\n";
  }
  here.write("b.yaml", yaml);
  const auto found = told({"b.yaml", {}, sample::lookup({}), {}});
  EXPECT_THAT(found,
              testing::Contains("b.yaml:1:1: error: aliases make more than 100000 values of this (write fewer)"));
}

TEST(bad_file, is_too_deep) {
  sample::folder here;
  here.write("b.yaml", "home: " + std::string(100'000, '['));
  const auto found = told({"b.yaml", {}, sample::lookup({}), {}});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found.front(), testing::StartsWith("b.yaml:1:"));
  EXPECT_THAT(found.front(), testing::EndsWith(": error: lists and mappings are nested too deeply (write it flatter)"));
}

TEST(no_file, leaves_a_required_setting_to_its_flag) {
  EXPECT_EQ(told({{}, {}, sample::lookup({}), {}}),
            lines{"--topics.include: error: topics.include is missing (write it in a file for --config or give "
                  "--topics.include)"});
  EXPECT_EQ(
      told({{}, {}, sample::lookup({}), "APP"}),
      lines{"--topics.include: error: topics.include is missing (write it in a file for --config, give "
            "--topics.include or set APP_TOPICS_INCLUDE)"});
}

}  // namespace
