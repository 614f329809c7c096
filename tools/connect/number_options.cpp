#include "number_options.hpp"

#include <butterdb/base/number.hpp>
#include <butterdb/base/text.hpp>

#include <string>
#include <string_view>

namespace butterdb {

namespace {

std::string complaint(std::string_view range, std::string_view given) {
    std::string text("wants a number ");
    return text.append(range).append(", not '").append(printable(given)).append("'");
}

std::string range_text(std::string_view least, std::string_view most) {
    std::string text("from ");
    return text.append(least).append(" to ").append(most);
}

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
    const auto range = most == UINT64_MAX ? "of " + std::to_string(least) + " or more"
                                          : range_text(std::to_string(least), std::to_string(most));
    const auto read = [least, most, range](std::string& text) {
        const auto number = parse_whole<std::uint64_t>(text);
        if (!number || *number < least || *number > most) {
            return complaint(range, text);
        }
        text = std::to_string(*number);  // without leading zeros, which CLI11 takes for octal
        return std::string();
    };
    return {read, ""};
}

CLI::Validator decimal_number(double least, double most) {
    const auto range = range_text(format_shortest(least), format_shortest(most));
    const auto check = [least, most, range](const std::string& text) {
        const auto number = parse_decimal(text);
        const bool is_in_range = number && *number >= least && *number <= most;
        return is_in_range ? std::string() : complaint(range, text);
    };
    return {check, ""};
}

}  // namespace butterdb
