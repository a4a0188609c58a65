package jetstream

import (
	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// ReleaseID is the id of a release that names none: the same service, environment, version and commit give the same id,
// except after the version was taken back. Then it is another attempt. last is the slot's newest entry.
func ReleaseID(r deployments.Release, last deployments.Entry) string {
	attempt := ""
	if was := last.State.Rollout; was != nil && !last.State.Live() && was.Version == r.Version && was.Outcome != steps.Promoted {
		attempt = was.ID
	}
	return derivedID(r, attempt)
}
