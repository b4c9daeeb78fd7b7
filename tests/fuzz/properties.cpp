#include "kafka/properties.hpp"
#include "demand.hpp"

// Names and values of librdkafka properties of any bytes, a zero between the two.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  const std::string name{take(rest)};
  const std::string value{rest};
  const auto wrong = kafka::check_property(name, value);
  demand(wrong.text == kafka::check_property(name, value).text, "the same is said twice");
  // It may be a password. What is short stands in any sentence, and what stands in that about another value as well is
  // no quotation.
  const auto of_another = kafka::check_property(name, {value.rbegin(), value.rend()});
  const auto quotes = [&](const complaint& what) {
    return what.text.find(value) != what.text.npos || what.remedy.find(value) != what.remedy.npos;
  };
  demand(value.size() < 24 || !quotes(wrong) || quotes(of_another), "a value is never quoted");
  return 0;
}
