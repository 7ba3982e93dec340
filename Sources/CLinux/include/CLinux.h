// What Colony needs of Linux that Swift cannot import by itself.
#pragma once
#include "launching.h"
#include "nodes.h"
#include "parking.h"
#include "processes.h"
#include "threads.h"
