# `cmake --install`: the command line tool, the public headers, and one target for users, headway::headway, found by
# find_package(headway). The folders' libraries are installed beside it as its private parts.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Every headway_<folder> library that `target` links, itself included.
function(headway_parts target out)
  set(found ${${out}})
  list(APPEND found ${target})
  get_target_property(links ${target} INTERFACE_LINK_LIBRARIES)
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^\\$<LINK_ONLY:(.*)>$" "\\1" link "${link}")
    if(link MATCHES "^headway_" AND NOT link IN_LIST found)
      set(parts ${found})
      headway_parts(${link} parts)
      set(found ${parts})
    endif()
  endforeach()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

add_library(headway INTERFACE)
add_library(headway::headway ALIAS headway)
target_link_libraries(headway INTERFACE headway_pack)
target_compile_features(headway INTERFACE cxx_std_20)
target_include_directories(headway INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

set(parts)
headway_parts(headway_pack parts)
install(TARGETS headway ${parts} EXPORT headwayTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/headway)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/headway DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/headway)
install(EXPORT headwayTargets NAMESPACE headway:: DESTINATION ${package_directory})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/headwayConfig.cmake.in headwayConfig.cmake
                              INSTALL_DESTINATION ${package_directory})
write_basic_package_version_file(headwayConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/headwayConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/headwayConfigVersion.cmake
        DESTINATION ${package_directory})
