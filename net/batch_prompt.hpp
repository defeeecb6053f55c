// Several chat requests made one: those that differ in nothing but the text of their last message become numbered parts
// of a single request, which asks for an object with an answer for each. What a part says stands in a JSON string: it
// cannot end its part, or begin another. Who may be merged with whom is said by batch_shape alone.
#pragma once

#include "net/chat_request.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace mainstay {

/// Equal for requests that may be merged: a hash over everything but the last message's text, caps and other parameters
/// included, and over `scope`. Empty: it can only be asked alone. That is whatever is not plain text for plain text
/// (streams, tools, formats, several choices, images), does not end in a user's message, or has a member of which is
/// not known that it means the same to several questions together as to one (`stop`, penalties, ...).
std::string batch_shape(const chat_request&, std::string_view scope);

/// The text of its last message. Of a request that has a shape.
std::string part_text(const chat_request&);

/// The one request for all of these: `first`'s, with the texts as parts from 1 on, its caps for each of them and
/// something for the form, and a response_format. It has the shape that all of them have.
bytes_ptr merged_body(const chat_request& first, const std::vector<std::string>& texts);

} // namespace mainstay
