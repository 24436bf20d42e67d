/* image_name.h - may this text be the name of an image? Source: distribution/reference, ReferenceRegexp. */
#ifndef STOWAGE_KUBECTL_SET_IMAGE_NAME_H
#define STOWAGE_KUBECTL_SET_IMAGE_NAME_H

#include <stdbool.h>

bool image_name_valid(const char *name);

#endif
