/* Coir: stackful coroutines for C. This header includes all of the public API. */
#ifndef COIR_H
#define COIR_H

#include "coir/base.h"
#include "coir/channel.h"
#include "coir/combine.h"
#include "coir/context.h"
#include "coir/debug.h"
#include "coir/hooks.h"
#include "coir/io.h"
#include "coir/net.h"
#include "coir/offload.h"
#include "coir/runtime.h"
#include "coir/scope.h"
#include "coir/select.h"
#include "coir/sync.h"
#include "coir/task.h"

#endif
