// nghttp2's C interface.
#pragma once
#include <nghttp2/nghttp2.h>
