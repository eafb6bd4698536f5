"""The rules about messages under their leases, broken and kept."""

from cases import Case


class Queues(Case):
    def test_two_receives_spent_for_nothing_are_a_breach(self):
        for count in (1, 2):
            self.story.at(count * 10).receive(lasts=5, count=count)
        self.story.at(30).die()
        self.assert_breaks("dead")

    def test_kills_stops_and_lost_answers_spend_receives(self):
        self.story.receive(lasts=5)
        self.story.mark("killed")
        self.story.at(10).receive("b", lasts=5, count=2, heard="reset")
        self.story.at(30).die()
        self.assert_breaks()

    def test_refused_sends_spend_receives(self):
        for count in (1, 2):
            handle = self.story.at(count * 10).receive(count=count)
            self.story.send(code="MessageRejected")
            self.story.change(handle, 0)
        self.story.at(30).die()
        self.assert_breaks()

    def test_what_was_mailed_and_answered_and_not_deleted_is_a_breach(self):
        self.story.receive(lasts=5)
        self.story.send()
        self.story.at(10).receive("b", lasts=5, count=2, heard="reset")
        self.story.at(30).die()
        self.assert_breaks("dead", "undeleted")

    def let_go(self, outcome=None, seconds=0):
        """Two receives that are given back without a send; the lines that tell so, where they do."""
        lines = []
        for count in (1, 2):
            handle = self.story.at(count * 10).receive(count=count)
            self.story.end(struck := self.story.call("a", "ses:GetAccount", {}), status=500)
            self.story.note("struck", struck)
            if outcome:
                lines.append(self.story.log_line(outcome, receive=f"{count} of 2"))
            self.story.change(handle, seconds)
        self.story.at(200).die()
        return lines

    def test_a_good_message_is_not_rejected_without_a_refusal(self):
        log = self.let_go("rejected")
        self.assert_breaks(log=log)
        self.story.good()
        self.assert_breaks("dead", log=log)

    def test_a_service_that_fails_is_no_refusal(self):
        lines = []
        for count in (1, 2):
            handle = self.story.at(count * 10).receive(count=count)
            self.story.send(code="TooManyRequestsException", status=429)
            lines.append(self.story.log_line("rejected", receive=f"{count} of 2"))
            self.story.change(handle, 0)
        self.story.at(30).die()
        self.assert_breaks(log=lines)
        self.story.good()
        self.assert_breaks("dead", log=lines)

    def test_a_good_message_is_not_given_back_without_a_send(self):
        self.let_go()
        self.assert_breaks()
        self.story.good()
        self.assert_breaks("dead")

    def test_a_receive_that_is_only_renewed_was_not_given_back(self):
        self.let_go(seconds=30)
        self.assert_breaks("dead")

    def test_a_good_message_is_not_put_off_for_what_struck_others(self):
        log = self.let_go("deferred", seconds=1)
        self.assert_breaks(log=log)
        self.story.good()
        self.assert_breaks("dead", log=log)

    def reject(self, between):
        handle = self.story.receive()
        self.story.send(code="BadRequestException")
        if between:
            self.story.send(tags={"notification-id": "zz", "witness": "1"})
        self.story.send(code="BadRequestException")
        line = self.story.log_line("rejected")
        self.story.change(handle, 2)
        return line

    def test_a_rejection_needs_an_acceptance_between_its_refusals(self):
        account = self.story.call("a", "ses:GetAccount", {})
        self.story.end(account, body={"SendQuota": {"MaxSendRate": 5000}})
        line = self.reject(between=False)
        self.assert_breaks("unwitnessed", log=[line])

    def test_a_rejection_beside_one_is_right(self):
        account = self.story.call("a", "ses:GetAccount", {})
        self.story.end(account, body={"SendQuota": {"MaxSendRate": 5000}})
        line = self.reject(between=True)
        self.assert_breaks(log=[line])

    def test_a_renewal_after_the_delete_is_seen(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle)
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.story.at(3).change(handle, 30, done=False)
        self.assert_breaks("renewed")

    def test_a_renewal_that_crosses_its_answer_is_not(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle)
        self.story.change(handle, 30, done=False)
        self.assert_breaks()

    def test_a_renewal_after_a_delete_whose_answer_may_be_unread_is_not(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle, heard="unread")
        self.story.at(3).change(handle, 30, done=False)
        self.assert_breaks()

    def test_a_renewal_that_is_asked_for_before_the_delete_is_answered_is_no_late_one(self):
        handle = self.story.receive()
        self.story.send()
        delete = self.story.call("a", "sqs:DeleteMessage", {"ReceiptHandle": handle})
        self.story.note("deleted", delete, queue="q", key=1, handle=handle, gone=True)
        self.story.aside = True
        self.story.change(handle, 30, done=False)
        self.story.aside = False
        self.story.end(delete)
        self.assert_breaks("overlapping")

    def test_a_renewal_under_way_at_the_delete_is_two_calls_at_once(self):
        handle = self.story.receive()
        self.story.send()
        entries = [{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": 30}]
        renewal = self.story.call("a", "sqs:ChangeMessageVisibilityBatch", {"Entries": entries})
        self.story.aside = True
        self.story.delete(handle)
        self.story.aside = False
        self.story.end(renewal, body={"Successful": [{"Id": "0"}], "Failed": []})
        self.assert_breaks("overlapping")

    def test_a_failed_entry_must_be_tried_again(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle, done=False)
        self.story.at(20).note("faults", change="cleared", rules=[])
        self.assert_breaks("unretried")

    def test_a_failed_entry_that_is_tried_again_is_right(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle, done=False)
        self.story.at(2).delete(handle)
        self.story.at(20).note("faults", change="cleared", rules=[])
        self.assert_breaks()

    def test_a_client_that_was_stopped_need_not_try_again(self):
        handle = self.story.receive()
        self.story.send()
        self.story.delete(handle, done=False)
        self.story.mark("killed")
        self.story.at(20).note("faults", change="cleared", rules=[])
        self.assert_breaks()

    def test_a_message_that_was_mailed_must_be_deleted(self):
        self.story.receive()
        self.story.send()
        self.story.at(20).note("faults", change="cleared", rules=[])
        self.assert_breaks("undeleted")

    def test_too_many_leases_are_seen_where_the_concurrency_is_known(self):
        for key in range(2, 9):
            self.story.arrive(key)
            self.story.receive(key=key)
        self.assert_breaks("crowded", concurrency=1)
        self.assert_breaks(concurrency=2)

    def test_what_a_line_says_has_ended_is_not_held(self):
        lines = []
        for key in range(2, 9):
            self.story.arrive(key)
            handle = self.story.receive(key=key)
            self.story.change(handle, 30, key=key, heard="reset")
            if key < 6:
                lines.append(self.story.at(self.story.time + 0.01).log_line("lost", key))
        self.assert_breaks("crowded", concurrency=1)
        self.assert_breaks(concurrency=1, log=lines)

    def test_copies_under_one_id_are_held_once(self):
        for key in range(2, 9):
            self.story.arrive(key, message="m1", how="copy", body=self.story.bodies[1])
            self.story.receive(key=key, message="m1")
        self.assert_breaks(concurrency=1)

    def test_a_mark_tells_each_clients_concurrency(self):
        for client, concurrency in (("a", 1), ("b", 2)):
            self.story.mark("started", client, concurrency=concurrency)
            for key in range(2, 9):
                self.story.arrive(key * 10 + concurrency)
                self.story.receive(client, key=key * 10 + concurrency)
            self.assert_breaks("crowded", concurrency=32)
        self.setUp()
        self.story.mark("started", concurrency=2)
        for key in range(2, 9):
            self.story.arrive(key)
            self.story.receive(key=key)
        self.assert_breaks(concurrency=1)

    def test_a_delete_may_wait_two_seconds_for_a_record_in_a_table(self):
        self.story.receive(lasts=30)
        self.story.claim("a", "sending")
        self.story.send()
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.story.at(3).mark("killed")
        self.story.at(8).note("faults", change="cleared", rules=[])
        self.assert_breaks(mode="table")
        self.assert_breaks("undeleted", mode="memory")

    def test_a_delete_that_a_table_has_long_let_go_is_missed(self):
        self.story.receive(lasts=30)
        self.story.claim("a", "sending")
        self.story.send()
        self.story.end(self.story.call("a", "sqs:GetQueueAttributes", {}))
        self.story.at(5).mark("killed")
        self.story.at(8).note("faults", change="cleared", rules=[])
        self.assert_breaks("undeleted", mode="table")

    def stand_still(self, until):
        """Two receives, in the second of which the client stood still up to then."""
        self.story.receive(lasts=5, heard="reset")
        self.story.at(20).receive(lasts=5, count=2)
        self.story.at(21).mark("paused")
        self.story.at(until).mark("continued")
        self.story.at(30).die()

    def test_a_receive_in_which_the_client_stood_still_is_spent_for_a_reason(self):
        self.stand_still(27)
        self.assert_breaks()

    def test_a_pause_long_before_a_receive_is_no_reason(self):
        self.story.mark("paused")
        self.story.at(1).mark("continued")
        for count in (1, 2):
            self.story.at(count * 10).receive(lasts=5, count=count)
        self.story.at(30).die()
        self.assert_breaks("dead")

    def twins(self, together):
        """A message arrives twice under one id; the copy that dies is held beside the other, or alone."""
        self.story.arrive(2, message="m1", how="copy", body=self.story.bodies[1])
        self.story.receive(lasts=5, key=2, message="m1", heard="reset")
        self.story.at(10).receive(lasts=5, key=2, message="m1", count=2)
        handle = self.story.at(10.5 if together else 20).receive()
        self.story.send()
        self.story.delete(handle)
        line = self.story.log_line("sent", receive="2 of 2")
        self.story.at(40).note("dead", queue="q", key=2, message="m1", count=2)
        return [line]

    def test_of_two_copies_under_one_id_that_are_held_at_once_one_can_be_left(self):
        log = self.twins(together=True)
        self.assert_breaks(log=log)

    def test_of_two_copies_that_are_held_one_after_the_other_none_may_be_left(self):
        log = self.twins(together=False)
        self.assert_breaks("dead", log=log)

    def test_a_delete_that_another_copys_handle_replaced_need_not_be_tried_again(self):
        self.story.arrive(2, message="m1", how="copy", body=self.story.bodies[1])
        first = self.story.receive()
        second = self.story.receive(key=2, message="m1")
        self.story.send()
        self.story.delete(first, done=False)
        self.story.delete(second, key=2)
        self.story.at(10).note("faults", change="cleared", rules=[])
        self.assert_breaks()
