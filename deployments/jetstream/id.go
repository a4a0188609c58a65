package jetstream

import (
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// ReleaseID is the id of a release that names none, seen from the slot's newest entry: that of the release that the version
// has been taken in by, while it waits, runs or is the last one that was promoted, and else that of a new attempt. The
// same service, environment, version and commit give the same id until the slot has another rollout.
func ReleaseID(r deployments.Release, last deployments.Entry) string {
	s := last.State
	for _, q := range s.Queue {
		if q.Release.Version == r.Version {
			return q.Release.ID
		}
	}
	switch was := s.Rollout; {
	case was == nil:
		return derivedID(r, "")
	case was.Version == r.Version && s.Release != nil && was.Failure == nil && (s.Live() || was.Outcome == steps.Promoted):
		return s.Release.ID
	default:
		return derivedID(r, was.ID)
	}
}
