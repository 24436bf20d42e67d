/* version.h - who we are. */
#ifndef STOWAGE_CLI_VERSION_H
#define STOWAGE_CLI_VERSION_H

#define STOWAGE_VERSION    "0.1.0"
#define STOWAGE_KUBERNETES "v1.32.13"

#endif
