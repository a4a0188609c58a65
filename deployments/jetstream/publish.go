package jetstream

import (
	"context"
	"fmt"
	"maps"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/serin-cd/serin/deployments"
)

// PublishRelease publishes a release event and returns its sequence in the stream of releases. An empty ID is derived
// from service, environment, version and commit. duplicate: the same id was published for the same service within the
// hour, so this one was not stored. A release that the intake would refuse is refused here, with a
// deployments.RefusedError.
func PublishRelease(ctx context.Context, js jetstream.JetStream, n Names, r deployments.Release) (seq uint64, duplicate bool, err error) {
	return PublishAttempt(ctx, js, n, r, "")
}

// PublishAttempt is PublishRelease for a release that may be stored again within the hour, once for each attempt: one that
// was refused, or where the slot's state says better than its id what it is a duplicate of.
func PublishAttempt(ctx context.Context, js jetstream.JetStream, n Names, r deployments.Release, attempt string) (seq uint64, duplicate bool, err error) {
	if r.ID == "" {
		r.ID = derivedID(r, "")
	}
	msg, err := encodeRelease(n, r)
	if err != nil {
		return 0, false, err
	}
	msg.Header[nats.MsgIdHdr] = []string{MessageID(r, attempt)}
	if _, err := DecodeRelease(msg.Subject, msg.Header, msg.Data); err != nil {
		return 0, false, fmt.Errorf("publish release: %w", err)
	}
	ack, err := js.PublishMsg(ctx, msg, jetstream.WithExpectStream(n.Stream(ReleasesStream)))
	if err != nil {
		return 0, false, fmt.Errorf("publish release of %s: %w", r.Slot, err)
	}
	return ack.Sequence, ack.Duplicate, nil
}

// MessageID is what NATS knows the message of a release by. Releases of two services may have one id, such as that of the
// build that made both.
func MessageID(r deployments.Release, attempt string) string {
	id := r.Slot.String() + "/" + r.ID
	if attempt != "" {
		id += "/" + attempt
	}
	return id
}

// KeepID makes a message that is read as this release say so by itself, where its id was that of the message alone.
func KeepID(m *nats.Msg, r deployments.Release) {
	if same, err := DecodeRelease(m.Subject, m.Header, m.Data); err != nil || same.ID != r.ID {
		maps.Copy(m.Header, attributesOf(r.ID, releaseType, source(r.Slot), r.Trace).binary("", nil).Header)
	}
}
