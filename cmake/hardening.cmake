# What makes a memory error harder to exploit, for every target of this project, as far as the compiler
# and the linker have it. BUTTERDB_HARDENING=OFF leaves it to the flags of whoever builds.

option(BUTTERDB_HARDENING "Compile and link with the hardening that the compiler has" ON)

if(NOT BUTTERDB_HARDENING)
    return()
endif()

include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

# -fcf-protection=return is for shadow stacks (x86-64), which cost no instruction. Linux has no use for
# the other half of CET in programs, checked jumps: they cost a GET 2 % more instructions.
# -mbranch-protection is the same for arm64.
foreach(flag IN ITEMS -fcf-protection=return -mbranch-protection=standard -fstack-clash-protection
                      -fstack-protector-strong)
    string(MAKE_C_IDENTIFIER "BUTTERDB_HAS${flag}" has_flag)
    check_cxx_compiler_flag(${flag} ${has_flag})
    if(${has_flag})
        add_compile_options(${flag})
    endif()
endforeach()

# Assertions of the C++ library that take constant time.
add_compile_definitions(_GLIBCXX_ASSERTIONS)

# The C library's checks of sizes: they need optimisation. A sanitizer has its own.
function(butterdb_check_fortify level result)
    set(CMAKE_TRY_COMPILE_CONFIGURATION "${CMAKE_BUILD_TYPE}")
    set(CMAKE_REQUIRED_FLAGS "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level}")
    check_cxx_source_compiles(
        "#include <cstring>
        #ifndef __has_feature
        #define __has_feature(name) 0
        #endif
        #if !defined(__OPTIMIZE__) || __USE_FORTIFY_LEVEL < ${level}
        #error no fortification
        #endif
        #if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
        #error a sanitizer
        #endif
        int main() {}"
        ${result})
endfunction()
foreach(level IN ITEMS 3 2)
    butterdb_check_fortify(${level} BUTTERDB_HAS_FORTIFY_${level}_${CMAKE_BUILD_TYPE})
    if(BUTTERDB_HAS_FORTIFY_${level}_${CMAKE_BUILD_TYPE})
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})
        break()
    endif()
endforeach()

# Programs at an address that is not known beforehand, with tables that are read-only once it is.
check_pie_supported(LANGUAGES CXX)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
foreach(flag IN ITEMS -z,relro -z,now)
    string(MAKE_C_IDENTIFIER "BUTTERDB_HAS${flag}" has_flag)
    check_linker_flag(CXX "LINKER:${flag}" ${has_flag})
    if(${has_flag})
        add_link_options("LINKER:${flag}")
    endif()
endforeach()
