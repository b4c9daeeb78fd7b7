#include <gtest/gtest.h>

#include "kafka_fixture.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  testing::UnitTest::GetInstance()->listeners().Append(new kafka_fixture::print_broker_logs_on_failure);
  return RUN_ALL_TESTS();
}
