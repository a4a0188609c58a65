// Package slacktest stands in for Slack's Web API, and for its incoming webhooks: it keeps channels, refuses what Slack's
// published limits refuse, and fails as it is told to.
//
// [Server.Fail] queues what the next calls meet: an answer with a status, an error word, or one that is lost after the
// message was taken, which is what duplicates come from.
package slacktest
