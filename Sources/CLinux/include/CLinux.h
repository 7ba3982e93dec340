// What Colony needs of Linux that Swift cannot import by itself.
#pragma once
#include "launching.h"
#include "parking.h"
#include "threads.h"
