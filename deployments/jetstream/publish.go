package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// PublishRelease publishes a release event and returns its sequence in the stream of releases. An empty ID is derived
// from service, environment, version and commit. duplicate: the same id was published within the hour, so this one was
// not stored. A release that the intake would refuse is refused here, with a deployments.RefusedError.
func PublishRelease(ctx context.Context, js jetstream.JetStream, n Names, r deployments.Release) (seq uint64, duplicate bool, err error) {
	if r.ID == "" {
		r.ID = derivedID(r, "")
	}
	msg, err := encodeRelease(n, r)
	if err != nil {
		return 0, false, err
	}
	if _, err := DecodeRelease(msg.Subject, msg.Header, msg.Data); err != nil {
		return 0, false, fmt.Errorf("publish release: %w", err)
	}
	ack, err := js.PublishMsg(ctx, msg, jetstream.WithExpectStream(n.Stream(ReleasesStream)))
	if err != nil {
		return 0, false, fmt.Errorf("publish release of %s: %w", r.Slot, err)
	}
	return ack.Sequence, ack.Duplicate, nil
}
