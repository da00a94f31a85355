#include "tools/volcryptctl/text_table.h"

#include <algorithm>

#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {

void TextTable::Add(const std::vector<std::string>& cells) {
  std::vector<std::string>& row = rows_.emplace_back();
  for (const std::string& cell : cells) row.push_back(cell.empty() ? "-" : Printable(cell));
}

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], row[column].size());
  }
  for (const auto& row : rows_) {
    for (size_t column = 0; column + 1 < row.size(); ++column) {
      out << row[column] << std::string(widths[column] - row[column].size() + 2, ' ');
    }
    out << row.back() << '\n';
  }
}

}  // namespace volcrypt::ctl
