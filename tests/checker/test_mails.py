"""The rules about mails: each is broken by a history, and kept by one that looks close to it."""

from cases import Case, tally


class Mails(Case):
    def test_a_message_that_is_mailed_and_deleted_breaks_nothing(self):
        handle = self.story.receive()
        mail = self.story.send()
        line = self.story.log_line("sent", mail=mail)
        self.story.delete(handle)
        self.story.mark("signal", signal="TERM", grace_ms=1000)
        self.story.mark("exited", code=0)
        self.assert_breaks(log=[line, tally("1 = 1 sent")])

    def test_a_deleted_message_without_a_mail_is_lost(self):
        self.story.delete(self.story.receive())
        self.assert_breaks("lost")

    def test_a_control_message_may_be_deleted(self):
        self.story.arrive(2, body='{"Type": "SubscriptionConfirmation", "MessageId": "x"}')
        handle = self.story.receive(key=2)
        line = self.story.log_line("ignored", key=2)
        self.story.delete(handle, key=2)
        self.assert_breaks(log=[line])

    def test_a_mail_of_another_event_does_not_stand_for_a_message(self):
        handle = self.story.receive()
        self.story.send(tags={"notification-id": "m1", "event": "0" * 16})
        self.story.delete(handle)
        self.assert_breaks("lost", "stray")

    def test_a_delete_before_the_mail_is_early_and_leaves_the_sender_without_a_lease(self):
        self.story.delete(self.story.receive())
        self.story.send()
        self.assert_breaks("early", "unheld")

    def test_a_second_mail_by_one_who_had_the_first_answer_is_doubled(self):
        handle = self.story.receive()
        self.story.send()
        self.story.send()
        self.story.delete(handle)
        self.assert_breaks("doubled")

    def test_a_send_without_an_answer_may_be_repeated(self):
        handle = self.story.receive()
        self.story.send(heard="reset")
        self.story.send()
        self.story.delete(handle)
        self.assert_breaks()

    def test_three_mails_in_one_receive_are_too_many(self):
        handle = self.story.receive()
        for heard in ("reset", "hung up", True):
            self.story.send(heard=heard)
        self.story.delete(handle)
        self.assert_breaks("often")

    def test_an_answer_that_may_be_unread_lets_it_be_repeated(self):
        handle = self.story.receive()
        self.story.send(heard="unread")
        self.story.send()
        self.story.delete(handle)
        self.assert_breaks()

    def test_an_event_that_was_read_forbids_the_second_mail(self):
        handle = self.story.receive()
        self.story.event(self.story.send(heard="reset"))
        self.story.at(5).send()
        self.story.delete(handle)
        self.assert_breaks("doubled", mode="feedback")
        self.assert_breaks(mode="memory")

    def test_an_event_that_another_one_read_does_not(self):
        handle = self.story.receive()
        self.story.event(self.story.send(heard="reset"), client="b")
        self.story.at(5).send()
        self.story.delete(handle)
        self.assert_breaks(mode="feedback")

    def test_after_a_kill_another_one_may_mail_again(self):
        self.story.receive(lasts=5)
        self.story.send()
        self.story.mark("killed")
        self.story.at(6)
        handle = self.story.receive("b", count=2)
        self.story.send("b")
        self.story.delete(handle, "b")
        self.assert_breaks()

    def test_a_lease_that_lapses_for_nothing_excuses_no_second_mail(self):
        self.story.receive(lasts=5)
        self.story.send()
        self.story.at(6)
        handle = self.story.receive("b", count=2)
        self.story.send("b")
        self.story.delete(handle, "b")
        self.assert_breaks("doubled", "undeleted")

    def test_a_delete_that_fails_until_the_lease_lapses_excuses_it(self):
        handle = self.story.receive(lasts=5)
        self.story.send()
        self.story.at(4).delete(handle, done=False)
        self.story.at(6)
        handle = self.story.receive("b", count=2)
        self.story.send("b")
        self.story.delete(handle, "b")
        self.assert_breaks()

    def test_two_copies_may_be_mailed_by_two_tasks_without_a_table(self):
        self.story.arrive(2, body=self.story.bodies[1], message="m1", how="copy")
        first, second = self.story.receive(), self.story.receive("b", key=2, message="m1")
        self.story.send()
        self.story.send("b")
        self.story.delete(first)
        self.story.delete(second, "b", key=2)
        self.assert_breaks()

    def test_two_copies_may_not_be_mailed_by_one_task(self):
        self.story.arrive(2, body=self.story.bodies[1], message="m1", how="copy")
        first, second = self.story.receive(), self.story.receive(key=2, message="m1")
        self.story.send()
        self.story.send()
        self.story.delete(first)
        self.story.delete(second, key=2)
        self.assert_breaks("doubled")

    def test_with_a_table_the_second_task_may_not(self):
        self.story.arrive(2, body=self.story.bodies[1], message="m1", how="copy")
        first, second = self.story.receive(), self.story.receive("b", key=2, message="m1")
        self.story.claim("a", "sending")
        self.story.send()
        self.story.claim("a", "sent")
        self.story.claim("b", "sending")
        self.story.send("b")
        self.story.delete(first)
        self.story.delete(second, "b", key=2)
        self.assert_breaks("doubled", mode="table")

    def test_while_the_table_fails_it_may(self):
        self.story.arrive(2, body=self.story.bodies[1], message="m1", how="copy")
        first, second = self.story.receive(), self.story.receive("b", key=2, message="m1")
        self.story.claim("a", "sending")
        self.story.send()
        self.story.claim("a", "sent")
        self.story.claim("b", "sending", ok=False)
        self.story.send("b")
        self.story.delete(first)
        self.story.delete(second, "b", key=2)
        self.assert_breaks(mode="table")

    def test_a_claim_is_not_taken_over_before_it_ends(self):
        self.story.receive(lasts=5)
        self.story.claim("a", "sending", lasts=20)
        self.story.send(heard=False)
        self.story.mark("killed")
        self.story.at(6)
        handle = self.story.receive("b", count=2)
        self.story.at(10).claim("b", "sending", lasts=20)
        self.story.send("b")
        self.story.delete(handle, "b")
        self.assert_breaks("doubled", mode="table")

    def take_over(self, at):
        self.story.receive(lasts=5)
        self.story.claim("a", "sending", lasts=20)
        self.story.send(heard=False)
        self.story.mark("killed")
        handle = self.story.at(at).receive("b", count=2)
        self.story.claim("b", "sending", lasts=20)
        self.story.send("b")
        self.story.delete(handle, "b")

    def test_after_its_end_it_is(self):
        self.take_over(21)
        self.assert_breaks(mode="table")

    def test_two_notions_of_the_tables_time_may_differ_by_five_seconds(self):
        self.take_over(15.5)
        self.assert_breaks(mode="table")

    def test_they_do_not_differ_by_more(self):
        self.take_over(14.5)
        self.assert_breaks("doubled", mode="table")

    def test_a_mail_without_a_claim_is_seen_where_there_is_a_table(self):
        self.story.arrive(2)
        self.story.claim("b", "sending", key=2)
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle)
        self.assert_breaks("unclaimed", mode="table")
        self.assert_breaks(mode="memory")

    def test_a_mail_after_the_lease_is_unheld(self):
        handle = self.story.receive(lasts=5)
        self.story.at(5.1).send()
        self.story.delete(handle)
        self.assert_breaks("unheld")

    def test_a_renewed_lease_is_held(self):
        handle = self.story.receive(lasts=5)
        self.story.at(3).change(handle, 5)
        self.story.at(7.9).send()
        self.story.delete(handle)
        self.assert_breaks()

    def test_a_superseded_lease_is_none(self):
        self.story.receive(lasts=30)
        handle = self.story.receive("b", count=2)
        self.story.send()
        self.story.delete(handle, "b")
        self.assert_breaks("unheld")

    def test_a_witness_needs_no_message(self):
        self.story.send(tags={"notification-id": "zz", "witness": "1"})
        self.assert_breaks()

    def test_a_process_that_stood_still_may_have_looked_at_its_lease_before(self):
        for late, rules in ((0.4, ()), (1.5, ("unheld",))):
            with self.subTest(late=late):
                self.setUp()
                handle = self.story.receive(lasts=5)
                self.story.at(2).mark("paused")
                self.story.at(8).mark("continued")
                self.story.at(8 + late).send()
                self.story.delete(handle)
                self.assert_breaks(*rules)

    def test_who_has_few_files_may_fail_to_reach_the_table_unseen(self):
        self.story.mark("started", limited=True)
        self.story.arrive(2)
        self.story.claim("b", "sending", key=2)
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle)
        self.assert_breaks(mode="table")

    def record(self, ok):
        """A mail that is answered and deleted, and recorded or not, and time enough after it."""
        handle = self.story.receive()
        self.story.claim("a", "sending")
        self.story.send()
        if ok:
            self.story.claim("a", "sent")
        self.story.delete(handle)
        self.story.at(10).note("faults", change="cleared", rules=[])

    def test_a_mail_that_was_answered_must_be_recorded_where_there_is_a_table(self):
        self.record(ok=False)
        self.assert_breaks("unrecorded", mode="table")
        self.assert_breaks(mode="memory")

    def test_one_that_is_recorded_is_right(self):
        self.record(ok=True)
        self.assert_breaks(mode="table")

    def test_who_was_killed_need_not_record(self):
        self.story.receive()
        self.story.claim("a", "sending")
        self.story.send()
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.story.mark("killed")
        self.story.at(10).note("faults", change="cleared", rules=[])
        self.assert_breaks(mode="table")
