package notify_test

import (
	"testing"
	"time"

	"github.com/serin-cd/serin/deployments/notify/slacktest"
)

// The first message to a channel that has only a name, and whose id no answer has told yet.
func TestAFirstMessageWhoseAnswerIsLostIsFoundInAChannelThatHasAName(t *testing.T) {
	o := newOffice(t)
	o.Fail(slacktest.Fault{Method: "chat.postMessage", Lost: true})
	began := o.clock()
	o.deliver(t, o.worker(), story()[1])
	if took := o.clock().Sub(began); took > time.Minute || len(o.Messages()) != 1 {
		t.Errorf("%d messages after %s", len(o.Messages()), took)
	}
	for _, e := range story()[2:] {
		o.deliver(t, o.worker(), e)
	}
	o.toldOnce(t)
}
