#include "running.hpp"

namespace flow {
namespace {

std::shared_ptr<const plan> example() {
  topology t{"orders"};
  t.on_failure(skip);
  auto [large, rest] = t.from(topic<bytes, bytes>{"orders"}, {.start = beginning}) |
                       split("sizes", when("large", [](bytes v) { return v.size() > 99; }), otherwise("rest"));
  large | filter([](bytes) { return true; }).on_failure(stop) | to("large");
  rest | fan_out("regions", {"tokyo"}, {.rename = "{source}.{topic}"});
  return t.build();
}

TEST(describe, as_text) {
  EXPECT_EQ(describe(*example()), R"(orders
  from-1    from orders from the beginning, on failure skip  -> sizes
  sizes     split on failure skip                            -> large: filter-1, rest: regions
  filter-1  filter on failure stop                           -> to-1
  to-1      to large on home, on failure skip
  regions   fan_out {source}.{topic} on tokyo, on failure skip
)");
}

TEST(describe, as_text_keeps_arrows_where_one_node_has_much_to_say) {
  topology t{"orders"};
  t.from(topics<bytes, bytes>{
      {"orders-of-the-first-region", "orders-of-the-second-region", "orders-of-the-third-region"}}) |
      filter([](bytes) { return true; }) | to("out");
  EXPECT_EQ(describe(*t.build()), R"(orders
  from-1    from orders-of-the-first-region, orders-of-the-second-region, orders-of-the-third-region  -> filter-1
  filter-1  filter                                                        -> to-1
  to-1      to out on home
)");
}

TEST(describe, as_mermaid) {
  EXPECT_EQ(describe(*example(), format::mermaid), R"(flowchart LR
  n0["from-1<br>from orders from the beginning, on failure skip"]
  n1["sizes<br>split on failure skip"]
  n2["filter-1<br>filter on failure stop"]
  n3["to-1<br>to large on home, on failure skip"]
  n4["regions<br>fan_out {source}.{topic} on tokyo, on failure skip"]
  n0 --> n1
  n1 -->|large| n2
  n1 -->|rest| n4
  n2 --> n3
)");
}

TEST(describe, as_dot) {
  EXPECT_EQ(describe(*example(), format::dot), R"(digraph "orders" {
  rankdir=LR;
  node [shape=box];
  n0 [label="from-1\nfrom orders from the beginning, on failure skip"];
  n1 [label="sizes\nsplit on failure skip"];
  n2 [label="filter-1\nfilter on failure stop"];
  n3 [label="to-1\nto large on home, on failure skip"];
  n4 [label="regions\nfan_out {source}.{topic} on tokyo, on failure skip"];
  n0 -> n1;
  n1 -> n2 [label="large"];
  n1 -> n4 [label="rest"];
  n2 -> n3;
}
)");
}

TEST(describe, as_json) {
  topology t{"orders"};
  t.from(topics<bytes, bytes>{{"a\\..*"}}) | for_each("end", [](bytes) {});
  EXPECT_EQ(describe(*t.build(), format::json),
            R"({"application":"orders","nodes":[)"
            R"({"name":"from-1","verb":"from","note":"a\\..*","to":[{"node":"end"}]},)"
            R"({"name":"end","verb":"for_each","note":"","to":[]}]})"
            "\n");
}

TEST(describe, builds_a_topology) {
  topology t{"orders"};
  auto events = t.from(topic<bytes, bytes>{"events"});
  EXPECT_THROW((void)describe(t), topology_error);
  events | to("out");
  EXPECT_EQ(describe(t), describe(*t.build()));
  EXPECT_EQ(describe(t, format::json), describe(*t.build(), format::json));
}

TEST(nodes_without_a_name, get_one_that_nobody_else_has) {
  topology t{"test"};
  const auto all = [](bytes) { return true; };
  t.from(topic<bytes, bytes>{"in"}) | filter("filter-1", all) | filter(all) | filter(all) | to("out");
  std::vector<std::string> names;
  const auto built = t.build();
  for (const node_spec& node : built->nodes()) names.push_back(node.name);
  EXPECT_THAT(names, testing::ElementsAre("from-1", "filter-1", "filter-2", "filter-3", "to-1"));
}

}  // namespace
}  // namespace flow
