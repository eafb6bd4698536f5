"""The rules about processes and their logs, broken and kept."""

from cases import Case, tally


class Processes(Case):
    def stop(self, seconds):
        self.story.mark("signal", signal="TERM", grace_ms=5000)
        self.story.at(seconds).mark("exited", code=0)

    def test_an_exit_after_the_grace_is_late(self):
        self.stop(6.5)
        self.assert_breaks("late")

    def test_an_exit_within_it_is_not(self):
        self.stop(4.9)
        self.assert_breaks()

    def test_no_exit_at_all_is_late(self):
        self.story.mark("signal", signal="TERM", grace_ms=5000)
        self.story.at(7).note("faults", change="cleared", rules=[])
        self.assert_breaks("late")

    def test_a_call_long_after_the_exit_is_seen(self):
        self.stop(1)
        self.story.at(3)
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.assert_breaks("after")

    def test_one_that_was_on_its_way_is_not(self):
        self.stop(1)
        self.story.at(1.1)
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.assert_breaks()

    def test_sends_above_the_rate_are_fast(self):
        account = self.story.call("a", "ses:GetAccount", {})
        self.story.end(account, body={"SendQuota": {"MaxSendRate": 10}})
        for at in range(30):
            self.story.at(at / 100).send(tags={"notification-id": "zz", "witness": "1"})
        self.assert_breaks("fast")

    def test_a_rate_of_its_own_counts_in_place_of_the_accounts(self):
        account = self.story.call("a", "ses:GetAccount", {})
        self.story.end(account, body={"SendQuota": {"MaxSendRate": 1000}})
        self.story.mark("started", rate=10)
        for at in range(30):
            self.story.at(at / 100).send(tags={"notification-id": "zz", "witness": "1"})
        self.assert_breaks("fast")

    def test_a_burst_and_then_the_rate_is_not(self):
        account = self.story.call("a", "ses:GetAccount", {})
        self.story.end(account, body={"SendQuota": {"MaxSendRate": 10}})
        for at in range(40):
            self.story.at(max(0, at - 10) / 10).send(tags={"notification-id": "zz", "witness": "1"})
        self.assert_breaks()

    def mailed(self):
        handle = self.story.receive()
        mail = self.story.send()
        self.story.delete(handle)
        return mail

    def test_sums_that_differ_are_seen(self):
        self.mailed()
        line = self.story.log_line("sent")
        self.assert_breaks("sums", log=[line, tally("2 = 1 sent", "≠")])
        self.assert_breaks("sums", log=[line, line, tally("2 = 2 sent")])
        self.assert_breaks(log=[line, tally("1 = 1 sent")])

    def test_a_tally_must_add_up_and_count_the_lines(self):
        self.mailed()
        line = self.story.log_line("sent")
        self.assert_breaks("sums", log=[line, tally("1 = 1 duplicate")])
        self.assert_breaks("sums", log=[line, tally("0 = 1 sent")])
        # A second receive that it may or may not have heard of, so that the history allows both numbers.
        self.story.mark("signal", signal="TERM", grace_ms=5000)
        self.story.arrive(2)
        self.story.receive(key=2)
        self.assert_breaks("sums", log=[line, tally("2 = 1 sent")])
        self.assert_breaks(log=[line, tally("1 = 1 sent")])

    def test_what_a_line_says_must_be_true(self):
        mail = self.mailed()
        line = self.story.log_line
        self.assert_breaks(log=[line("sent", mail=mail)])
        self.assert_breaks("contradicted", log=[line("sent", mail="another")])
        self.assert_breaks("contradicted", log=[line("ignored")])
        self.assert_breaks("contradicted", log=[line("sent", receive="2 of 2")])
        self.assert_breaks("contradicted", log=[line("sent", receive="1 of 5")])
        self.assert_breaks("contradicted", log=[line("sent", key=7)])
        self.story.at(5)
        self.assert_breaks("contradicted", log=[line("deferred")])

    def test_sent_and_duplicate_need_a_mail_before(self):
        for outcome in ("sent", "duplicate"):
            self.setUp()
            self.story.receive()
            line = self.story.log_line(outcome)
            self.assert_breaks("contradicted", log=[line])

    def test_a_mail_without_an_answer_must_be_told_as_possible(self):
        self.story.receive()
        self.story.send(heard="reset")
        line = self.story.at(5).log_line
        self.assert_breaks("contradicted", log=[line("deferred")])
        self.assert_breaks(log=[line("deferred", text="deferred: the mail may have been sent")])
        lost = "lost its lease before it was known whether its mail was sent"
        self.assert_breaks(log=[line("lost", text=lost)])

    def test_a_log_that_says_it_dropped_lines_need_not_have_one_for_each_outcome(self):
        self.story.receive()
        self.story.send(code="MessageRejected")
        log = [tally("1 = 1 rejected")]
        self.assert_breaks("sums", log=log)
        dropped = '{"level":"WARN","message":"3 lines of the log were dropped, because standard error was not read"}'
        self.assert_breaks(log=[dropped, *log])

    def test_a_mail_that_begins_with_the_line_is_another_copys(self):
        self.story.receive()
        line = self.story.log_line("rejected")
        self.story.send()
        self.assert_breaks(log=[line])
