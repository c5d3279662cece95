// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Cancel, Confirmation, Finding} from "../libraries/TypedData.sol";

/// @notice The state of a receivable. Overdue is derived by views and never stored.
enum State {
    None,
    Confirmed,
    Funded,
    Overdue,
    Recourse,
    Defaulted,
    WrittenOff,
    Settled,
    Cancelled
}

/// @notice One receivable, in words of storage: who and how much; which listing; terms; lender; progress; exceptions.
/// @dev Days are days since 1970-01-01, amounts minor units, rates basis points.
struct Receivable {
    // Word 0.
    address seller;
    uint96 face;
    // Word 1.
    bytes32 listingHash;
    // Word 2: fixed at registration but for state, flags and fundedDay.
    State state;
    uint8 flags;
    uint32 platformId;
    uint16 advBps;
    uint16 bps;
    uint16 lateBps;
    uint16 feeBps;
    uint16 basis;
    uint16 graceDays;
    uint32 confirmedDay;
    uint32 dueDay;
    uint32 fundedDay;
    // Word 3: received is the sum of all payments.
    address lender;
    uint96 received;
    // Word 4, written only by payments that leave the receivable open, so that it tells nothing once it is closed:
    // interest is counted up to lastDay, 0 standing for fundedDay.
    uint128 numerator;
    uint96 principalPaid;
    uint32 lastDay;
    // Word 5, written by freezes and dilutions: findingAt in seconds. `diluted` is what lowers the face: what the
    // platform will not pay, and what it paid before the receivable was funded.
    uint32 frozenFromDay;
    uint32 frozenUntilDay;
    uint24 priorFrozenDays;
    uint32 defaultedDay;
    uint96 diluted;
    uint40 findingAt;
    // Word 6, written by holds and by the collection from the seller.
    uint96 held;
    uint96 maxPull;
    uint32 pullExpiryDay;
    uint32 nextTryDay;
}

/// @notice How a book is set up, once and for ever.
/// @param asset The settlement asset: a plain ERC-20.
/// @param treasury Receives servicing fees.
/// @param gate Which listings may be financed; zero means that none is asked for (tests only, and an event says so).
/// @param qualityDeposit The sellers' deposits; zero means that none is asked for, and an event says so.
/// @param admin The first administrator.
/// @param changeDelay Seconds that a change of roles and platform keys must wait: 48 hours where money is real.
/// @param aprBpsMax Highest yearly interest, late interest included, basis points.
/// @param attestationAgeDaysMax How old an attestation may be at funding, days.
struct BookConfig {
    address asset;
    address treasury;
    address gate;
    address qualityDeposit;
    address admin;
    uint48 changeDelay;
    uint16 aprBpsMax;
    uint32 attestationAgeDaysMax;
}

/// @title IReceivableBook
/// @notice Confirmed receivables that are financed once and repay themselves.
interface IReceivableBook {
    /// @notice The book was deployed without asking for attestations.
    event DeployedWithoutGate();
    /// @notice The book was deployed without asking for quality deposits.
    event DeployedWithoutQualityDeposit();
    /// @notice The key of a platform was set; zero removes it.
    event PlatformSet(uint32 indexed platformId, address indexed signer);
    /// @notice A receivable was registered.
    event Confirmed(
        bytes32 indexed id,
        uint32 indexed platformId,
        address indexed seller,
        uint96 face,
        uint32 dueDay,
        bytes32 docHash,
        bytes32 listingHash
    );
    /// @notice A receivable that nobody had funded was cancelled.
    event Cancelled(bytes32 indexed id, address indexed by);
    /// @notice The seller allowed the book to collect up to an amount.
    event PullAuthorised(bytes32 indexed id, uint96 maxPull, uint32 expiryDay);
    /// @notice A lender paid the advance to the seller.
    event Funded(bytes32 indexed id, address indexed lender, uint96 advance, uint32 day);
    /// @notice A payment was split. The four legs sum to `paid`.
    event Settled(
        bytes32 indexed id,
        address indexed payer,
        uint256 paid,
        uint256 fee,
        uint256 interest,
        uint256 principal,
        uint256 residual,
        uint32 day,
        bool early
    );
    /// @notice A receivable reached its end by payment.
    event Closed(bytes32 indexed id, uint8 flags, uint32 day);
    /// @notice A lockbox was emptied: `applied` went through the waterfall, `passedOn` to the seller.
    event Swept(bytes32 indexed id, address indexed lockbox, uint256 applied, uint256 passedOn);
    /// @notice Money of the seller is on hold while the receivable is frozen.
    event Held(bytes32 indexed id, address indexed seller, uint256 amount);
    /// @notice Money on hold was released to the seller.
    event HoldReleased(bytes32 indexed id, address indexed seller, uint256 amount);
    /// @notice A payout could not be delivered and waits to be claimed.
    event ClaimCredited(address indexed account, uint256 amount);
    /// @notice A waiting payout was claimed.
    event Claimed(address indexed account, uint256 amount);
    /// @notice A receivable is frozen until a day, unless lifted or renewed before.
    event Frozen(bytes32 indexed id, uint16 code, bytes32 evidenceHash, uint32 untilDay);
    /// @notice The freeze of a receivable was lifted.
    event Unfrozen(bytes32 indexed id, bytes32 evidenceHash);
    /// @notice New receivables of a seller are refused until a day.
    event SellerFrozen(address indexed seller, uint16 code, bytes32 evidenceHash, uint32 untilDay);
    /// @notice New receivables of a seller are taken again.
    event SellerUnfrozen(address indexed seller, bytes32 evidenceHash);
    /// @notice The platform will pay less than the face.
    event Diluted(bytes32 indexed id, uint96 amount, bytes32 reasonHash);
    /// @notice Something was collected from the seller or the reserve.
    event Collected(bytes32 indexed id, uint256 fromAllowance, uint256 fromReserve);
    /// @notice A receivable is in default.
    event Defaulted(bytes32 indexed id, uint256 principalLeft, uint256 interestLeft);
    /// @notice The lender wrote a defaulted receivable off; it can still be paid.
    event WrittenOff(bytes32 indexed id, uint256 principalLeft);

    /// @notice Register a receivable that its platform confirmed; anyone may bring the signature.
    /// @dev Warning: the seller is whom the platform names; the book does not ask the seller.
    /// @param c The confirmation.
    /// @param signature EIP-712 signature of the platform's key (ECDSA, or ERC-1271 of a contract).
    /// @return id keccak256 of chain id, book, platform id and the platform's document hash.
    function register(Confirmation calldata c, bytes calldata signature) external returns (bytes32 id);

    /// @notice Cancel a receivable that nobody has funded; only its seller, and not while it is frozen.
    /// @param id The receivable.
    function cancel(bytes32 id) external;

    /// @notice Cancel a receivable that nobody has funded, by the platform's signature; anyone may bring it.
    /// @param c The signed cancellation.
    /// @param signature EIP-712 signature of the platform's key.
    function cancelBySignature(Cancel calldata c, bytes calldata signature) external;

    /// @notice Pay the advance to the seller and become the lender; not before the UTC day after registration (T+1),
    /// and only if what is still to come of the face covers advance, fee and interest to the due day.
    /// @param id The receivable.
    /// @param minAdvance The caller's bound: refuse if the advance is lower, minor units.
    /// @param maxBps The caller's bound: refuse if the yearly interest is higher, basis points.
    function fund(bytes32 id, uint96 minAdvance, uint16 maxBps) external;

    /// @notice Pay towards a receivable; anyone may. Never pulls more than can be due. Cannot be paused.
    /// @param id The receivable.
    /// @param amount At most this much is pulled from the caller, minor units.
    /// @return paid What was pulled and split.
    function settle(bytes32 id, uint96 amount) external returns (uint256 paid);

    /// @notice As `settle`, by the seller, who pays what is owed to date and no penalty. Cannot be paused.
    /// Where nothing is owed any more it pulls nothing and closes the receivable.
    /// @param id The receivable.
    /// @param amount At most this much is pulled from the seller, minor units.
    /// @return paid What was pulled and split.
    function repayEarly(bytes32 id, uint96 amount) external returns (uint256 paid);

    /// @notice Apply the balance of a receivable's lockbox to it, and pass what is not due on to the seller;
    /// also releases what is on hold once no freeze is in force. Anyone may call; cannot be paused.
    /// Before funding all of it is the seller's, and lowers what is still to come of the face.
    /// @param id The receivable.
    function sweep(bytes32 id) external;

    /// @notice Freeze one receivable by a signed finding, for 60 days or until lifted; again to renew.
    /// @dev In every state: what comes into the lockbox of a settled or cancelled one is the seller's, and is held.
    /// @param f The finding; its subject is the receivable, its code not 0.
    /// @param signature EIP-712 signature of a key that holds COMPLIANCE.
    function freeze(Finding calldata f, bytes calldata signature) external;

    /// @notice Lift the freeze of one receivable and release what is on hold. Cannot be paused.
    /// @param f The finding; its subject is the receivable, its code 0.
    /// @param signature EIP-712 signature of a key that holds COMPLIANCE.
    function unfreeze(Finding calldata f, bytes calldata signature) external;

    /// @notice Refuse new receivables of a seller for 60 days or until lifted; existing ones are not touched.
    /// @param f The finding; its subject is the seller's address, left-padded, its code not 0.
    /// @param signature EIP-712 signature of a key that holds COMPLIANCE.
    function freezeSeller(Finding calldata f, bytes calldata signature) external;

    /// @notice Take new receivables of a seller again.
    /// @param f The finding; its subject is the seller's address, left-padded, its code 0.
    /// @param signature EIP-712 signature of a key that holds COMPLIANCE.
    function unfreezeSeller(Finding calldata f, bytes calldata signature) external;

    /// @notice Deliver a payout that could not be delivered before. Cannot be paused.
    /// @param to Whose payout; it is sent to this account only.
    function payoutClaim(address to) external;

    /// @notice Set the key of a platform, announced first, or remove it at once by zero; only the administrator.
    /// @param platformId The platform.
    /// @param signer A key, or a contract that implements ERC-1271.
    function setPlatform(uint32 platformId, address signer) external;

    /// @notice Stop `register` and `fund`; nothing else is ever stopped. Only PAUSER.
    function pause() external;

    /// @notice Resume. Only the administrator.
    function unpause() external;

    /// @notice Perform what `checkUpkeep` found. Never reverts but for want of gas; anyone may call.
    /// @param performData Up to 20 items of 33 bytes: an id and an action (1: sweep); what follows is ignored.
    function performUpkeep(bytes calldata performData) external;

    /// @notice Look for due work among the registered receivables, in the order of registration.
    /// @param checkData ABI encoding of (uint256 offset, uint256 limit), limit at most 200.
    /// @return upkeepNeeded Whether something is due.
    /// @return performData For `performUpkeep`, at most 660 bytes.
    function checkUpkeep(bytes calldata checkData)
        external
        view
        returns (bool upkeepNeeded, bytes memory performData);

    /// @notice What would be owed on a day, minor units.
    /// @param id The receivable.
    /// @param day UTC day, not before the last payment to be meaningful.
    /// @return fee Servicing fee not yet paid.
    /// @return interest Interest not yet paid, rounded up.
    /// @return principal Principal outstanding.
    /// @return total Sum of the three.
    /// @return residualAtFace What the seller would still get if the platform paid then what the book expects of it:
    /// what the seller paid itself counts as paid of the face, so a platform that pays the whole face all the same
    /// leaves the seller more by that.
    function quote(bytes32 id, uint32 day)
        external
        view
        returns (uint256 fee, uint256 interest, uint256 principal, uint256 total, uint256 residualAtFace);

    /// @notice What is owed today to treasury and lender, minor units.
    function owed(bytes32 id) external view returns (uint256);

    /// @notice The state on a day; a funded receivable past its due day is Overdue.
    function stateAt(bytes32 id, uint32 day) external view returns (State);

    /// @notice The whole record.
    function receivable(bytes32 id) external view returns (Receivable memory);

    /// @notice Where the platform pays a receivable; known before it is registered.
    function lockboxOf(bytes32 id) external view returns (address);

    /// @notice The id that a platform's document has in this book.
    function idOf(uint32 platformId, bytes32 docHash) external view returns (bytes32);

    /// @notice Whether a receivable is frozen now.
    function isFrozen(bytes32 id) external view returns (bool);

    /// @notice Payouts that wait for an account, minor units.
    function claimable(address account) external view returns (uint256);

    /// @notice The key of a platform; zero where there is none.
    function platformSigner(uint32 platformId) external view returns (address);

    /// @notice Until which day new receivables of a seller are refused; 0 where they never were.
    function sellerFrozenUntil(address seller) external view returns (uint32);

    /// @notice How many receivables were ever registered.
    function count() external view returns (uint64);

    /// @notice The id of the receivable that was registered n-th, from 0.
    function idAt(uint64 index) external view returns (bytes32);
}
