#include <flow/flow.hpp>
