/* replay.c - runs a fuzz target over every file of the directories given, in builds without libFuzzer.
 *
 * What a fuzzer once found stays in tests/fuzz/regression/<noun>/ and is tried again with each build. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Runs one file; 1 if it is one, else 0. */
static int file_run(const char *path)
{
    struct stat st;
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    if (!f)
        return 0;
    uint8_t *data = malloc((size_t)st.st_size + 1); /* exact size: a read past the end is seen */
    size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
    fclose(f);
    uint8_t *exact = realloc(data, n ? n : 1);
    LLVMFuzzerTestOneInput(exact ? exact : data, n);
    free(exact ? exact : data);
    return 1;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        for (struct dirent *d = dir ? readdir(dir) : NULL; d; d = readdir(dir)) {
            char path[4096];
            snprintf(path, sizeof path, "%s/%s", argv[i], d->d_name);
            count += file_run(path);
        }
        if (dir)
            closedir(dir);
    }
    printf("%d inputs\n", count);
    return 0;
}
