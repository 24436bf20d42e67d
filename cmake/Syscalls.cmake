# The system calls that this machine's headers name, as rows of a C table: src/sys/seccomp.c.
execute_process(COMMAND ${CMAKE_C_COMPILER} -E -dM -include sys/syscall.h -x c /dev/null
                OUTPUT_VARIABLE macros RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the compiler finds no sys/syscall.h")
endif()
string(REGEX MATCHALL "#define __NR_[a-z0-9_]+ [0-9]+" macros "${macros}")
list(SORT macros)
set(rows "")
foreach(macro IN LISTS macros)
  string(REGEX REPLACE "#define __NR_([a-z0-9_]+) ([0-9]+)" "{\"\\1\", \\2},\n" row "${macro}")
  string(APPEND rows "${row}")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/sys/syscall_names.h CONTENT "${rows}" @ONLY)
