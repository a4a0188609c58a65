// Package repo keeps the house in order: its tests read the repository and fail where it breaks its own rules.
//
// They check the top-level folders, the import arrows, package comments, sizes of files and functions, commands and
// links in Markdown, and habits of tests (no sleeping, no fixed ports). An exception stands in testdata with its reason.
//
// The package's own code reads Markdown, so that the tests of other packages can check what the documentation says. It
// is imported by tests alone.
package repo
