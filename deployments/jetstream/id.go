package jetstream

import "github.com/serin-cd/serin/deployments"

// ReleaseID is the id of a release that names none: the same service, environment, version and commit give the same id.
func ReleaseID(r deployments.Release) string { return derivedID(r, "") }
